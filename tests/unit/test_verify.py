import numpy as np
import pandas as pd
import pytest

from dnalm.errors import InputError
from dnalm.evaluate import verify
from dnalm.evaluate.labelled import calls
from dnalm.io.tables import METRIC_COLUMNS, write_metrics, write_tsv
from dnalm.variants.trained import HeldOut


def metric(value, method="dnalm", name="bits_per_base", split="test", n=100, seed=1, **more):
    row = {"study": "s", "stage": "pretrain", "dataset": "g", "split": split, "stratum": "all", "method": method}
    row |= {"metric": name, "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1, "n": n, "seed": seed}
    return row | {"splits_sha256": "0" * 64} | more


def table(*rows):
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


ROWS = (metric(1.9), metric(1.95, "markov_mixture"), metric(0.9, name="gene_f1_exact", stage="annotate", n=50))


@pytest.fixture
def files(tmp_path):
    """Paths of a metrics file and of the expected file that --write made from it."""
    metrics, expected = tmp_path / "all_metrics.tsv", tmp_path / "expected" / "s.tsv"
    write_metrics([*ROWS, metric(1.8, split="validation")], metrics)
    assert verify.main([str(metrics), str(expected), "--write"]) == 0
    return metrics, expected


def run(capsys, metrics, expected):
    status = verify.main([str(metrics), str(expected)])
    return status, *capsys.readouterr()


def test_the_expected_file_holds_test_rows_with_the_tolerance_of_their_metric(files):
    expected = pd.read_csv(files[1], sep="\t")
    assert list(expected) == verify.COLUMNS
    assert list(expected["value"]) == [1.9, 1.95, 0.9]
    assert list(expected["tolerance"]) == [0.005, 0.005, 0.03]
    assert list(expected["n"]) == [100, 100, 50]


def test_the_same_metrics_are_as_expected(files, capsys):
    status, out, err = run(capsys, *files)
    assert (status, err) == (0, "")
    assert "3 values" in out.splitlines()[-1]


@pytest.mark.parametrize(("shift", "status"), [(0.0049, 0), (-0.0049, 0), (0.0051, 1), (-0.0051, 1)])
def test_a_value_may_differ_by_its_tolerance(files, capsys, shift, status):
    metrics = pd.read_csv(files[0], sep="\t")
    metrics.loc[0, "value"] += shift
    write_tsv(metrics, files[0])
    assert run(capsys, *files)[0] == status


def test_what_is_off_is_shown_and_counted(files, capsys):
    metrics = table(metric(2.0), ROWS[1] | {"n": 99}, metric(1.0, "new_method"))
    wrong = verify.deviations(metrics, verify.read_table(files[1], verify.COLUMNS))
    assert list(wrong["problem"]) == ["value", "n", "missing"]
    assert wrong["difference"].iloc[0] == pytest.approx(0.1)
    write_tsv(metrics, files[0])
    status, out, err = run(capsys, *files)
    assert status == 1
    assert len(out.splitlines()) == 4
    assert "of 3 expected values 2 are off and 1 missing" in err


def test_intervals_and_the_splits_digest_may_differ(files, capsys):
    metrics = pd.read_csv(files[0], sep="\t").assign(ci_low=0.0, splits_sha256="1" * 64)
    write_tsv(metrics, files[0])
    assert run(capsys, *files)[0] == 0


def test_nan_equals_nan_only():
    expected = verify.expected_of(table(metric(np.nan), metric(1.9, "b"), metric(np.nan, "c")))
    found = table(metric(np.nan), metric(np.nan, "b"), metric(1.0, "c"))
    assert list(verify.deviations(found, expected)["method"]) == ["b", "c"]


def test_seeds_and_their_mean_are_told_apart(tmp_path, capsys):
    rows = [metric(1.9, seed=1), metric(1.8, seed=2), metric(1.85, seed="mean")]
    write_metrics(rows, tmp_path / "m.tsv")
    paths = [str(tmp_path / "m.tsv"), str(tmp_path / "e.tsv")]
    verify.main([*paths, "--write"])
    assert run(capsys, *paths)[0] == 0
    write_metrics([rows[1] | {"seed": 1}, rows[0] | {"seed": 2}, rows[2]], tmp_path / "m.tsv")
    wrong = verify.deviations(*(pd.read_csv(path, sep="\t") for path in paths))
    assert list(wrong["seed"]) == ["1", "2"]


def test_a_metric_without_tolerance_and_a_table_without_test_rows_are_refused():
    with pytest.raises(InputError, match="no tolerance for pearson"):
        verify.expected_of(table(metric(0.9, name="pearson")))
    with pytest.raises(InputError, match="no row of the test split"):
        verify.expected_of(table(metric(0.9, split="train")))


CALLS = calls(HeldOut(*np.full((3, 4), 0.5), None), np.arange(4), np.arange(4) > 1, np.arange(4), 4, 0.95)


@pytest.mark.parametrize("stage", ["variants", "samples"])
def test_every_metric_of_variants_with_labels_and_of_planted_samples_has_a_tolerance(stage):
    names = {
        "variants": [*CALLS, "auroc", "auprc"],
        "samples": ["auroc", "auprc", "recall_at_budget"],
    }[stage]  # fmt: skip
    assert stage != "variants" or "recall_at_precision_0.95" in names
    expected = verify.expected_of(table(*(metric(0.5, name=name, stage=stage) for name in names)))
    assert list(expected["metric"]) == names and expected["tolerance"].between(0.005, 0.05).all()


def test_a_row_that_is_there_twice_is_refused():
    expected = verify.expected_of(table(ROWS[0]))
    with pytest.raises(InputError, match="a row is there twice: pretrain g test all dnalm bits_per_base 1"):
        verify.deviations(table(ROWS[0], ROWS[0]), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file. Run the study first"),
        ("", "cannot be read"),
        ("study\tstage\ns\tp\n", "no column dataset"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_files_that_are_not_what_they_should_be(files, tmp_path, capsys, content, message):
    path = tmp_path / "other.tsv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for paths in ((path, files[1]), (files[0], path)):
        status, out, err = run(capsys, *paths)
        assert (status, out) == (1, "")
        assert err.startswith(str(path))
        assert message in err
        assert len(err.splitlines()) == 1
