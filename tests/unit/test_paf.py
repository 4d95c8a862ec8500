"""Differences of a cs tag, base by base, against the edit script that made it, on both strands."""

import numpy as np
import pytest
from helpers.alignments import edit, paf_line, random_text, turned

from dnalm.errors import InputError
from dnalm.io.paf import read_paf

COMPLEMENT = dict(zip("ACGT", "TGCA", strict=True))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_differences_are_those_of_the_edit_script(tmp_path, reverse, seed):
    rng = np.random.default_rng(seed)
    target = random_text(400, rng)
    inner = target[100:350]
    aligned, tag, changed = edit(inner, rng)
    stored = "GATTACA" + (turned(aligned) if reverse else aligned) + "CC"
    path = tmp_path / "x.paf"
    path.write_text(paf_line("c0", 100, 350, tag, "q", 7, 7 + len(aligned), reverse) + "\n")
    (block,) = read_paf(path)
    assert block.reverse is reverse and (block.contig, block.query, block.quality, block.primary) == (
        "c0",
        "q",
        60,
        True,
    )
    assert block.place.tolist() == [100 + place for place, *_ in changed]
    assert ["ACGT"[b] for b in block.ref] == [target[place] for place in block.place]
    facing = [stored[place] for place in block.query_place]
    assert ["ACGT"[b] for b in block.alt] == [COMPLEMENT[base] if reverse else base for base in facing]
    pairs = [
        (t, (b - 1 - (t - a0)) if reverse else a + (t - a0))
        for (a0, b0), (a, b) in zip(block.matched.tolist(), block.query_matched.tolist(), strict=True)
        for t in range(a0, b0)
    ]
    different = {t for t, q in pairs if target[t] != (COMPLEMENT[stored[q]] if reverse else stored[q])}
    assert different == set(block.place.tolist())
    deleted = sum(b - a for a, b in block.gaps.tolist())
    assert len(pairs) + deleted == 250 and len({t for t, _ in pairs}) == len({q for _, q in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("q\t10\t0\t10", "no line of a PAF file"),
        ("\t".join(["q", "9", "0", "9", "+", "c", "9", "0", "9", "9", "9", "60", "tp:A:P"]), "no cs tag"),
        (paf_line("c", 0, 10, ":9", "q", 0, 9), "spans 9 and 9 bases, the record 10 and 9"),
        (paf_line("c", 0, 9, ":4~gt10ag:5", "q", 0, 9), "something else"),
        (paf_line("c", 0, 9, ":9", "q", 0, 9).replace("\t+\t", "\t?\t"), "no line of a PAF file"),
    ],
)
def test_what_is_no_alignment_with_differences_is_named_with_its_line(tmp_path, line, words):
    path = tmp_path / "x.paf"
    path.write_text(paf_line("c", 0, 9, ":9", "q", 0, 9) + "\n" + line + "\n")
    with pytest.raises(InputError, match=words) as caught:
        read_paf(path)
    assert "x.paf:2" in str(caught.value)


def test_letters_that_are_no_bases_are_kept_apart(tmp_path):
    path = tmp_path / "x.paf"
    path.write_text(paf_line("c", 0, 6, ":2*an*nc:2", "q", 0, 6, kind="S"))
    (block,) = read_paf(path)
    assert block.ref.tolist() == [0, 4] and block.alt.tolist() == [4, 1] and not block.primary
