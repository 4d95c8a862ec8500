"""Labels from intervals against painting by hand: strands, classes that may not overlap, genomes put together."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, splits_of

from dnalm.annotation.features import features_table
from dnalm.annotation.track_labels import gather_intervals, require_labels, track_labels
from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.genomes.composite import merge_genomes
from dnalm.io.fasta import load_genome


def settings(tracks=("a", "b"), **more):
    given = {"labels": "tracks", "tracks": {name: {"path": f"{name}.bed"} for name in tracks}, **more}
    study = {"study": "s", "genomes": {"g": {"path": "g.fa"}}, "annotate": given}
    return load_study(study).annotate.model_dump(mode="json")


def intervals(*rows):
    return pd.DataFrame(rows, columns=["track", "contig", "start", "end", "strand"])


@pytest.fixture
def genome():
    return genome_of("A" * 30, "C" * 10 + "N" * 5 + "G" * 5)


def test_labels_are_the_bases_of_the_intervals(genome):
    rows = intervals(("a", "c0", 2, 5, "."), ("b", "c0", 4, 6, "."), ("a", "c1", 0, 12, "."))
    labels = track_labels(genome, rows, settings())
    assert labels.names == ("a", "b")
    assert list(np.flatnonzero(labels.truth[:, 0])) == [2, 3, 4, *range(30, 42)]
    assert list(np.flatnonzero(labels.truth[:, 1])) == [4, 5]
    assert list(np.flatnonzero(~labels.known)) == list(range(40, 45))


def test_each_strand_has_labels_of_its_own(genome):
    rows = intervals(("a", "c0", 2, 5, "+"), ("a", "c0", 4, 6, "-"))
    labels = track_labels(genome, rows, settings(("a",), stranded=True))
    assert (labels.names, labels.of_track("a")) == (("a+", "a-"), [0, 1])
    assert [list(np.flatnonzero(column)) for column in labels.truth.T] == [[2, 3, 4], [4, 5]]


def test_classes_that_overlap_are_an_error_unless_one_goes_first(genome):
    rows = intervals(("a", "c1", 2, 6, "."), ("b", "c1", 4, 8, "."), ("a", "c1", 3, 6, "."))
    with pytest.raises(InputError, match=r"c1:5: a and b overlap, on 2 bases in all"):
        track_labels(genome, rows, settings(mode="multi_class"))
    for first, expected in (("a", [4, 2]), ("b", [2, 4])):
        order = [first, *({"a", "b"} - {first})]
        truth = track_labels(genome, rows, settings(mode="multi_class", priority=order)).truth
        assert list(truth.sum(0)) == expected
        assert truth.sum(1).max() == 1


def test_features_of_the_annotation_are_a_track(genome):
    rows = [
        {"contig": "c0", "start": a, "end": b, "strand": s, "type": t, "phase": 0, "id": f"{t}{a}", "parent": "",
         "attributes": "{}"}
        for a, b, s, t in [(1, 5, "+", "tRNA"), (7, 9, "-", "tRNA"), (12, 20, "+", "CDS"), (21, 25, ".", "gap")]
    ]  # fmt: skip
    features = features_table(rows)
    chosen = settings(("t",), stranded=True) | {"tracks": {"t": {"feature": "tRNA", "path": None}}}
    found = gather_intervals(genome, features, chosen, {})
    assert found.values.tolist() == [["t", "c0", 1, 5, "+"], ["t", "c0", 7, 9, "-"]]
    chosen["tracks"]["t"]["feature"] = "gap"
    with pytest.raises(InputError, match=r"c0:22: a gap without a strand"):
        gather_intervals(genome, features, chosen, {})
    chosen["tracks"]["t"]["feature"] = "rRNA"
    with pytest.raises(InputError, match=r"has no rRNA.*tRNA"):
        gather_intervals(genome, features, chosen, {})


def write_genome(folder, name):
    """A genome directory with two contigs."""
    from dnalm.genomes.build import build_genome
    from dnalm.io.fetch import LocalGenome

    folder.mkdir()
    (folder / f"{name}.fa").write_text(">x\n" + "ACGT" * 10 + "\n>y\nACGTAC\n")
    build_genome(name, LocalGenome(folder / f"{name}.fa", None), {}, folder)
    return folder


@pytest.mark.parametrize("several", [True, False])
def test_genomes_of_a_study_have_files_of_their_own_or_one_for_all(tmp_path, several):
    folders = [write_genome(tmp_path / name, name) for name in ("one", "two")]
    merge_genomes("all", folders, tmp_path / "all")
    genome = load_genome(tmp_path / "all")
    if several:
        (tmp_path / "one.bed").write_text("x\t0\t4\n")
        (tmp_path / "two.bed").write_text("y\t1\t3\n")
        path = str(tmp_path / "{genome}.bed")
    else:
        (tmp_path / "all.bed").write_text("one:x\t0\t4\ntwo:y\t1\t3\n")
        path = str(tmp_path / "all.bed")
    chosen = settings(("a",)) | {"tracks": {"a": {"path": path, "feature": None, "aliases": None}}}
    found = gather_intervals(genome, None, chosen, {})
    assert found.values.tolist() == [["a", "one:x", 0, 4, "."], ["a", "two:y", 1, 3, "."]]
    assert list(np.flatnonzero(track_labels(genome, found, chosen).truth[:, 0])) == [0, 1, 2, 3, 87, 88]


def test_a_label_must_be_in_training_and_validation_blocks(genome):
    splits = splits_of(("c0", 0, 10, "train"), ("c0", 10, 20, "validation"), ("c0", 20, 30, "test"))
    rows = intervals(("a", "c0", 0, 15, "."), ("b", "c0", 2, 9, "."))
    require_labels(genome, track_labels(genome, rows[:1], settings(("a",))), splits)
    with pytest.raises(InputError, match="tracks: b: no base of the validation blocks is labelled b"):
        require_labels(genome, track_labels(genome, rows, settings()), splits)


@pytest.mark.parametrize(
    ("annotate", "message"),
    [
        ({"labels": "tracks"}, "labels tracks needs `tracks`"),
        ({"tracks": {"a": {"path": "a.bed"}}}, "other labels have none"),
        ({"labels": "tracks", "tracks": {"a": {}}}, "give path or feature"),
        ({"labels": "tracks", "tracks": {"a": {"path": "a", "feature": "tRNA"}}}, "give path or feature"),
        ({"labels": "tracks", "tracks": {"a": {"feature": "tRNA", "aliases": "t"}}}, "aliases are for"),
        ({"labels": "tracks", "tracks": {"a": {"path": "a"}}, "priority": ["a"]}, "priority .* for mode multi_class"),
        (
            {"labels": "tracks", "tracks": {"a": {"path": "a"}}, "mode": "multi_class", "priority": ["b"]},
            "every track once",
        ),
        ({"labels": "tracks", "tracks": {"a": {"paths": "a"}}}, r"unknown key .*a\.paths, did you mean path"),
        ({"labels": "tracks", "tracks": {"a+": {"path": "a"}}}, r"annotate\.tracks\.a\+"),
    ],
)
def test_a_section_that_does_not_fit_is_refused(annotate, message):
    with pytest.raises(InputError, match=message):
        load_study({"study": "s", "genomes": {"g": {"path": "g.fa"}}, "annotate": annotate})
