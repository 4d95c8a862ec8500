import time

import numpy as np
import pandas as pd
import pytest

from dnalm.errors import InputError
from dnalm.io import tables


def files_below(folder):
    return sorted(p.name for p in folder.rglob("*"))


def test_atomic_path_leaves_the_old_file_when_the_writer_fails(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("old")
    with pytest.raises(RuntimeError), tables.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert files_below(tmp_path) == ["a.tsv"]


def test_atomic_path_shows_nothing_before_the_end_and_keeps_suffixes(tmp_path):
    path = tmp_path / "new" / "a.gff3.gz"
    with tables.atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.name.endswith(".gff3.gz")
        assert temporary.parent.stat().st_dev == path.parent.stat().st_dev
    assert path.read_text() == "whole"
    assert files_below(tmp_path / "new") == ["a.gff3.gz"]


def test_atomic_folder_is_all_or_nothing(tmp_path):
    (tmp_path / "kept").write_text("other")
    with pytest.raises(RuntimeError), tables.atomic_folder(tmp_path) as draft:
        (draft / "one").write_text("1")
        raise RuntimeError
    assert files_below(tmp_path) == ["kept"]
    with tables.atomic_folder(tmp_path) as draft:
        (draft / "one").write_text("1")
        (draft / "kept").write_text("new")
    assert files_below(tmp_path) == ["kept", "one"]
    assert (tmp_path / "kept").read_text() == "new"


def test_writing_below_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file: cannot write here .* Check the path") as error:
        tables.write_json({}, tmp_path / "file" / "a.json")
    assert "\n" not in str(error.value)


def test_scores_round_trip_with_nan_and_the_same_bytes_later(tmp_path, monkeypatch):
    intervals = np.array([[5, 8], [100, 102]])
    values = np.array([1.5, np.nan, 2, 0, -1], dtype=np.float32)
    tables.write_scores(tmp_path / "a.npz", intervals, two_sided=values)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(10**9))
    tables.write_scores(tmp_path / "b.npz", intervals, two_sided=values)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back, columns = tables.read_scores(tmp_path / "a.npz")
    assert back.tolist() == intervals.tolist()
    assert list(columns) == ["two_sided"]
    np.testing.assert_array_equal(columns["two_sided"], values)
    assert columns["two_sided"].dtype == np.float32


def test_scores_of_the_wrong_length_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has 3 values, the intervals hold 2"):
        tables.write_scores(tmp_path / "a.npz", [[0, 2]], causal=np.zeros(3))
    assert files_below(tmp_path) == []


def test_metrics_have_the_contract_columns_in_order_and_six_digits(tmp_path):
    rows = [{"value": 1.23456789, "metric": "mcc", "study": "s", "seed": 1}]
    tables.write_metrics(rows, tmp_path / "m.tsv")
    header, line = (tmp_path / "m.tsv").read_text().splitlines()
    assert header.split("\t") == (
        "study stage dataset split stratum method metric value ci_low ci_high n seed splits_sha256".split()
    )
    assert line.split("\t")[7] == "1.23457"
    tables.write_comparisons([], tmp_path / "c.tsv")
    assert (tmp_path / "c.tsv").read_text().split() == (
        "study stage dataset split stratum metric method_a method_b difference ci_low ci_high n unit".split()
    )


def test_parquet_and_tsv_are_byte_identical_on_rerun(tmp_path):
    table = pd.DataFrame({"contig": ["a", "b"], "start": [1, 2], "x": [0.1, np.nan]})
    for name in ("one", "two"):
        tables.write_parquet(table, tmp_path / f"{name}.parquet")
        tables.write_tsv(table, tmp_path / f"{name}.tsv")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert (
        (tmp_path / "one.tsv").read_bytes()
        == (tmp_path / "two.tsv").read_bytes()
        == (b"contig\tstart\tx\na\t1\t0.1\nb\t2\t\n")
    )
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one.parquet"), table)
