"""Alleles of labelled tables: the leftmost place, several files, other files beside, exons as groups, no frequency."""

import gzip
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, planted_genome
from helpers.variants import record, write_vcf

from dnalm.config import load_study
from dnalm.config_labelled import FREQUENCY, LabelledSet
from dnalm.errors import InputError
from dnalm.evaluate.labelled import undecided
from dnalm.sequence.alphabet import decode
from dnalm.tasks.labelled import facts, group_names, predict, predictions, prepare
from dnalm.variant_files.labelled import read_labelled
from dnalm.variant_files.labelled_alleles import place_alleles, spdi_columns
from dnalm.variant_files.lookup import look_up, read_wiggle
from dnalm.variants import trained
from dnalm.variants.coding import read_coding
from dnalm.variants.described import describe
from dnalm.variants.features import build_features

LABEL = {"column": "class", "positive": ["bad"], "negative": ["good"]}


def settings_of(**keys):
    base = {"table": "t.tsv", "position": "pos", "label": LABEL, "groups": {"by": "block"}}
    return LabelledSet.model_validate(base | keys).model_dump(mode="json")


def placed(genome, *alleles, shift=0, interbase=False):
    position, ref, alt = (pd.Series(list(map(str, side))) for side in zip(*alleles, strict=True))
    return place_alleles(genome, np.zeros(len(position), dtype=int), position, ref, alt, shift, interbase)


def changed(sequence, row):
    """The sequence with the allele in it."""
    p = row["_position"]
    assert sequence[p : p + len(row["_ref_bases"])] == row["_ref_bases"]
    return sequence[:p] + row["_alt_bases"] + sequence[p + len(row["_ref_bases"]) :]


def test_places_in_the_genome_and_in_the_contig():
    genome, text = genome_of("ACGTACGTAC", "GGCATT"), pd.Series
    row, position = np.array([0, 1, 1, -1, 1]), text(["3", "3", "1", "3", "9"])
    ref, alt = text(["G", "CA", "GG", "G", "A"]), text(["T", "C", "G", "T", "C"])
    found = place_alleles(genome, row, position, ref, alt, 0)
    assert found["_position"].tolist() == [2, 13, 10, -2, -1]
    assert found["_local"].tolist() == [2, 3, 0, -1, -1]


def test_all_ways_to_write_a_change_are_one_row():
    """Random gaps in a sequence of few letters, written at every place that gives the same sequence."""
    rng = np.random.default_rng(3)
    sequence = "".join(rng.choice(list("AC"), 60))
    genome = genome_of(sequence)
    for _ in range(40):
        start, size = rng.integers(5, 50), rng.integers(1, 5)
        result = sequence[:start] + sequence[start + size :]
        same = [i for i in range(1, 60 - size) if sequence[:i] + sequence[i + size :] == result]
        written = [(i, sequence[i - 1 : i + size], sequence[i - 1]) for i in same]
        found = placed(genome, *written)
        assert found[["_position", "_ref_bases"]].drop_duplicates().shape[0] == 1
        assert found["_position"][0] in (min(same), 0) and changed(sequence, found.iloc[0]) == result
        added = "".join(rng.choice(list("AC"), size))
        result = sequence[:start] + added + sequence[start:]
        texts = [(i, result[i : i + size]) for i in range(1, 60) if result[:i] + result[i + size :] == sequence]
        found = placed(genome, *[(i, sequence[i - 1], sequence[i - 1] + text) for i, text in texts])
        assert len(set(found["_position"])) == 1 and changed(sequence, found.iloc[-1]) == result


def test_what_is_no_allele_is_none():
    genome = genome_of("ACGTACGT")
    kind = placed(
        genome, (1, "A", "C"), (1, "AC", "TG"), (2, "C", "CTT"), (3, "G", "-"), (3, "-", "G"), (3, "G", ""),
        (1, "A", "<DEL>"), (1, "A", "*"), (1, "A", "."), (1, "A", "A"), (1, "ACG", "TT"), (8, "T", "TA"),
    )  # fmt: skip
    assert kind["_kind"].tolist() == [
        "snv", "mnv", "insertion", "deletion", "", "", "", "", "", "", "indel", "insertion",
    ]  # fmt: skip
    assert kind["_position"].iloc[-1] == -1  # behind the last base
    assert kind.loc[0, ["_ref", "_alt"]].tolist() == [0, 1] and (kind.loc[1:4, ["_ref", "_alt"]] == 4).all(axis=None)
    assert placed(genome, (1, "AG", "A"))["_mismatch"].item() and not placed(genome, (1, "AC", "A"))["_mismatch"].item()


def test_spdi_counts_from_zero():
    said = spdi_columns(pd.Series(["NC_1.1:2:G:T", "NC_1.1:4::CC", "", "NC_1.1:3:TA:"]))
    assert said["position"].tolist() == ["3", "5", "", "4"]
    found = placed(genome_of("ACGTACGT"), *said.iloc[[0, 1, 3], 1:].itertuples(index=False), interbase=True)
    assert found["_position"].tolist() == [2, 4, 3] and found["_kind"].tolist() == ["snv", "insertion", "deletion"]


def test_several_files_make_one_table(tmp_path):
    genome = genome_of("ACGTACGTAC")
    (tmp_path / "t.tsv").write_text("pos\tref\talt\tclass\tseen\n1\tA\tC\tbad(x)\tyes\n2\tC\tT\tbad\tno\n")
    (tmp_path / "u.csv").write_text("p,r,v,af\n1,A,C,0.2\n3,G,T,0.3\n4,T,A,0.001\n5,A,G,\n")
    other = {"table": "u.csv", "position": "p", "ref": "r", "alt": "v", "label": {"column": "af", "negative_from": 0.1}}
    label = {"column": "class", "positive": ["bad"], "pattern": "^[a-z]+"}
    settings = settings_of(label=label, where={"seen": ["yes"]}, also=[other])
    with pytest.raises(InputError, match="2 contradicting labels"):
        read_labelled(genome, tmp_path / "t.tsv", settings, also=[tmp_path / "u.csv"])
    settings["label"]["several"] = "any"
    kept, left = read_labelled(genome, tmp_path / "t.tsv", settings, also=[tmp_path / "u.csv"])
    assert kept["_label"].tolist() == [True, False] and kept["source"].tolist() == ["t.tsv", "u.csv"]
    assert list(zip(left["source"], left["reason"], strict=True)) == [
        ("t.tsv", "not_wanted"), ("u.csv", "repeated"), ("u.csv", "no_label"), ("u.csv", "no_label"),
    ]  # fmt: skip


def test_numbers_of_other_files(tmp_path):
    genome = genome_of("ACGTACGTAC")
    variants = placed(genome, (2, "C", "T"), (3, "G", "A"), (3, "GT", "G"), (9, "A", "C"))
    with gzip.open(tmp_path / "p.wig.gz", "wt") as file:
        file.write("track type=wiggle_0\nfixedStep chrom=chrM start=2 step=1\n0.5\n-1.5\n")
        file.write("variableStep chrom=chrM span=2\n8 4.0\n")
    wig = {"wig": "p", "position_offset": 0}
    assert look_up(genome, variants, tmp_path / "p.wig.gz", wig, "k")[[0, 1, 3]].tolist() == [0.5, -1.5, 4.0]
    (tmp_path / "s.csv").write_text("pos,alt,score\n12,T,7\n13,C,8\n13,A,9\n")
    table = {"table": "s.csv", "position": "pos", "alt": "alt", "column": "score", "position_offset": 10}
    found = look_up(genome, variants, tmp_path / "s.csv", table, "k")
    assert found[:2].tolist() == [7, 9] and np.isnan(found[2:]).all()  # a deletion has no base of its own
    with pytest.raises(InputError, match="no variant has a number"):
        look_up(genome, variants, tmp_path / "s.csv", table | {"position_offset": 0}, "k")
    (tmp_path / "bad.wig").write_text("fixedStep chrom=a start=1\n1\nx\n")
    with pytest.raises(InputError, match=r"bad.wig:3"):
        read_wiggle(tmp_path / "bad.wig")


@pytest.mark.parametrize("name", ["AF", "AF_EXAC", "gnomAD_AF", "maf", "gbcnt", "allele frequency", "AC_hom", "popmax"])
def test_frequencies_are_known_by_their_names(name):
    assert FREQUENCY.search(name)


@pytest.mark.parametrize("name", ["phyloP", "CADD.score", "aGVGD.diff", "staff", "accession", "MitoTIP", "score"])
def test_other_columns_are_none(name):
    assert not FREQUENCY.search(name)


def labelled_study(**keys):
    one = {"table": "t.tsv", "label": LABEL, "groups": {"by": "gene"}} | keys.pop("labelled", {})
    return {
        "study": "s", "genomes": {"g": {"path": "g.fa"}}, "pretrain": None, "annotate": None,
        "variants": {"zero_shot": False, "labelled": {"mine": one}} | keys,
    }  # fmt: skip


def test_labels_need_no_language_model_unless_they_ask_for_it():
    study = load_study(labelled_study())
    assert study.pretrain is None and set(study.variants.labelled) == {"mine"}
    for keys, named in (
        ({"labelled": {"finetune": True}}, "variants.labelled.mine"), ({"zero_shot": True}, "variants.zero_shot"),
        ({"labelled": {"features": ["language_model"]}}, "variants.labelled.mine"),
        ({"maps": {"m": {}}}, "variants.maps"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=f"{named} needs a language model"):
            load_study(labelled_study(**keys))
    with pytest.raises(InputError, match="nothing to do"):
        load_study(labelled_study() | {"variants": None})
    with pytest.raises(InputError, match="did you mean table"):
        load_study(labelled_study(labelled={"also": [{"tabel": "x"}]}))


def test_groups_are_the_nearest_exon(two_exons):
    _, coding = two_exons
    (low, high), (_, end) = coding.table["parts"][0].tolist()
    table = pd.DataFrame({"_position": [low, high - 1, high + 1, end - 1, end + 40]})
    table["_gene"] = "g"
    names = group_names(table, {"by": "exon", "block": 1000}, coding)
    gene = coding.table["gene"][0]
    assert names.tolist() == [f"{gene} 1", f"{gene} 1", f"{gene} 1", f"{gene} 2", f"{gene} 2"]
    cut = group_names(table, {"by": "exon", "block": (high - low) // 2}, coding)
    assert cut[0] == f"{gene} 1 part 1" and cut[1] in (f"{gene} 1 part 2", f"{gene} 1 part 3")
    with pytest.raises(InputError, match="no annotation"):
        group_names(table, {"by": "exon", "block": 10}, None)


@pytest.mark.parametrize(("strand", "phase"), [("+", 0), ("+", 1), ("-", 0), ("-", 2)])
def test_long_exons_are_cut_between_codons(strand, phase):
    """Two parts of 100 and 86 bases: the bases of a codon share a stretch, whether an intron divides it or not."""
    low, high = np.arange(1000, 1100), np.arange(1300, 1386)
    reading = np.concatenate([low, high] if strand == "+" else [high[::-1], low[::-1]])
    parts = np.array([[1000, 1100], [1300, 1386]] if strand == "+" else [[1300, 1386], [1000, 1100]])
    models = pd.DataFrame({"gene": ["g"], "parts": [parts], "strand": [strand], "phase": [phase]})
    table = pd.DataFrame({"_position": reading, "_gene": "g"})
    for longest in (20, 50):
        names = group_names(table, {"by": "exon", "block": longest}, SimpleNamespace(table=models))
        codon = (np.arange(len(reading)) - phase) // 3
        assert pd.Series(names).groupby(codon).nunique().max() == 1
        assert max(pd.Series(names).value_counts()) <= longest + 2  # of a codon that another part ends
        assert len(set(names)) >= len(reading) // longest


def test_a_codon_over_three_exons_is_whole():
    """Ten bases, one base, nine bases: the fourth codon has a base of each part, and the part it begins in has all."""
    parts = np.array([[100, 110], [120, 121], [130, 139]])
    models = pd.DataFrame({"gene": ["g"], "parts": [parts], "strand": ["+"], "phase": [0]})
    place = np.concatenate([np.arange(low, high) for low, high in parts])
    table = pd.DataFrame({"_position": [*place, 125], "_gene": "g"})
    names = group_names(table, {"by": "exon", "block": 1000}, SimpleNamespace(table=models))
    assert names.tolist() == ["g 1"] * 12 + ["g 3"] * 8 + ["g 2"]


@pytest.fixture(scope="module")
def two_exons():
    """A gene of two exons with an intron of 60 bases."""
    rng = np.random.default_rng(7)
    body = "ATG" + "".join(rng.choice(["GCT", "AAA", "GAC", "TTC"], 30)) + "TAA"
    intron = "GTAAGT" + "".join(rng.choice(list("ACGT"), 48)) + "TTTCAG"
    genome = genome_of("C" * 100 + body[:50] + intron + body[50:] + "C" * 100, code=1)
    from dnalm.annotation.features import features_table

    row = {"contig": "c0", "strand": "+", "attributes": "{}"}
    parts = [(100, 150, 0), (210, 210 + len(body) - 50, 1)]
    rows = [row | {"start": 100, "end": parts[1][1], "type": "gene", "phase": -1, "id": "g1", "parent": ""}]
    rows += [row | {"start": 100, "end": parts[1][1], "type": "mRNA", "phase": -1, "id": "t1", "parent": "g1"}]
    rows += [row | {"start": a, "end": b, "type": "CDS", "phase": p, "id": "p1", "parent": "t1"} for a, b, p in parts]
    rows += [row | {"start": a, "end": b, "type": "exon", "phase": -1, "id": f"e{a}", "parent": "t1"}
             for a, b, _ in parts]  # fmt: skip
    return genome, read_coding(genome, features_table(rows))


def test_gaps_are_described(two_exons):
    genome, coding = two_exons
    text = decode(genome.codes & 7)
    alleles = [
        (121, text[120], text[120] + "G"), (130, text[129:133], text[129]), (150, text[149:153], text[149]),
        (122, text[121], "A" if text[121] != "A" else "C"),
    ]  # fmt: skip
    table = placed(genome, *alleles)
    told = describe(table, settings_of(), genome, coding)
    assert told["_consequence"][:3].tolist() == ["frameshift", "inframe_deletion", "splice_donor"]
    length = build_features(told, genome, {}, ["length"], coding)["length"]
    assert length["frame_kept"].tolist() == [0, 1, 1, 1] and length["one_base"].tolist() == [0, 0, 0, 1]
    assert length["length_change"].tolist() == [1, -3, -3, 0] and length["coding_frame_lost"].tolist() == [1, 0, 0, 0]
    splice = build_features(told, genome, {}, ["splice"], coding)["splice"]
    assert abs(splice["donor_place"][2]) <= 3 and splice["donor_place"][0] == -20
    substitution = build_features(told, genome, {}, ["substitution"], coding)["substitution"]
    assert not substitution.loc[:2, ["transition", "cpg_lost", "strength_change"]].to_numpy().any()
    alone = build_features(told.iloc[[3]].reset_index(drop=True), genome, {}, ["length"], coding)["length"]
    assert alone.shape == (1, 0)


def test_insertions_and_deletions_are_learned_from(tmp_path):
    """Deletions that lose the frame are harmful here, others are not: the scorer finds out, calls and calibrates."""
    patch = pytest.MonkeyPatch()
    patch.setitem(trained.TREES, "max_iter", 10)
    planted, rng, rows = planted_genome(genes=10, block=1500), np.random.default_rng(5), []
    coding = read_coding(planted.genome, planted.features)
    text = decode(planted.genome.codes & 7)
    for _, start, end, _ in planted.genes[1:9]:
        for position in rng.choice(np.arange(start + 10, end - 20), 12, replace=False):
            size = int(rng.integers(1, 7))
            rows.append((position + 1, text[position : position + size + 1], text[position], "del"))
            base = text[position]
            rows.append((position + 1, base, "ACGT"[("ACGT".index(base) + 1) % 4], "sub"))
    table = pd.DataFrame(rows, columns=["pos", "ref", "alt", "kind"])
    lost = (table["ref"].str.len() - table["alt"].str.len()) % 3 != 0
    table["class"] = np.where(lost ^ (rng.random(len(table)) < 0.1), "bad", "good")
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    settings = settings_of(groups={"by": "gene"}, features=["consequence", "chemistry", "substitution", "length"])
    data = prepare(planted.genome, tmp_path / "t.tsv", settings, 1, coding)
    fitted, raw = predict(data, settings, 1)
    patch.undo()
    found = predictions(data, fitted, raw)
    assert set(found["kind"]) == {"snv", "deletion"} and found.loc[found["kind"] == "deletion", "alt"].eq("").all()
    assert ("kinds" in dict(facts(data, settings))) and np.isfinite(found["dnalm_labelled"]).all()
    own, score = found["kind"] == "deletion", found["dnalm_labelled"]
    gone = (found["ref"].str.len() % 3 != 0) & own
    assert score[gone].mean() > score[own & ~gone].mean() + 0.4
    assert score[own].mean() == pytest.approx(found.loc[own, "label"].mean(), abs=0.1)
    assert set(found["call"]) <= {"harmful", "harmless", "uncertain", "abstained"}


def test_consequences_that_say_it_themselves_are_apart():
    kind = np.array(["stop"] * 20 + ["missense"] * 20 + ["splice"] * 20, dtype=object)
    label = np.array([True] * 20 + [True, False] * 10 + [True] * 6 + [False] * 14)
    assert undecided(label, kind).tolist() == [False] * 20 + [True] * 40
    assert not undecided(label[:40], kind[:40]).any()  # one alone is a stratum already


def rows_of(tmp_path, text, **keys):
    """Line, alternative and label of each row that is kept, and the reason of each line that is not."""
    path = tmp_path / "t.txt"
    path.write_bytes(text.encode())
    kept, left = read_labelled(genome_of("ACGTACGTAC"), path, settings_of(**keys))
    return kept[["line", "_alt_bases", "_label"]].to_numpy().tolist(), dict(
        zip(left["line"], left["reason"], strict=True)
    )


BOTH = [[2, "C", True], [3, "G", False], [4, "T", True]]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "text",
    [
        'pos\tref\talt\tnote\tclass\n1\tA\tC\t"5 prime\tbad\n2\tC\tG\tx\tgood\n3\tG\tT\ty"\tbad\n',
        'pos\tref\talt\tnote\tclass\n1\tA\tC\t"\tbad\n2\tC\tG\t\tgood\n3\tG\tT\t""\tbad',
        '"pos"\t"ref"\t"alt"\t"class"\n1\t"A"\t"C"\t"bad"\n2\t"C"\t"G"\t"good"\n3\t"G"\t"T"\t"bad"\n',
        'pos,ref,alt,note,class\n1,A,C,"a, b",bad\n2,C,G,5" end,good\n3,G,T,"say ""x""",bad\n',
        "pos\tref\talt\tclass\n1\tA\tC\tbad\t\n2\tC\tG\tgood\t\n3\tG\tT\tbad\t\n",
        "pos,ref,alt,class\n1,A,C,bad,\n2,C,G,good,\n3,G,T,bad,\n",
        "pos\tref\talt\tclass\nr1\t1\tA\tC\tbad\nr2\t2\tC\tG\tgood\nr3\t3\tG\tT\tbad\n",
    ],
    ids=[
        "open between tabs",
        "alone between tabs",
        "as R writes",
        "csv",
        "tabs at the end",
        "commas at the end",
        "names",
    ],
)
def test_every_line_of_a_table_is_a_row(tmp_path, text, end):
    assert rows_of(tmp_path, text.replace("\n", end)) == (BOTH, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'pos,ref,alt,note,class\n1,A,C,,bad\n2,C,G,"x,good\n3,G,T,y",bad\n',
            r"t\.txt:3: .* followed by 3 lines, but 2 rows: a quotation mark",
        ),
        ("pos\tref\talt\tclass\n1\tA\tC\tbad\t\t\n2\tC\tG\tgood\t\t\n", r"t\.txt:2: .* 2 values more"),
    ],
)
def test_tables_whose_rows_are_not_their_lines_are_refused(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        rows_of(tmp_path, text)
    assert re.search(message, str(error.value)), error.value


def test_spdi_names_its_contig(tmp_path):
    genome, path = genome_of("ACGTACGTAC", "GGCATT"), tmp_path / "t.tsv"
    lines = ["NC_1.1:0:A:C\tbad", "NC_9.1:4:A:G\tgood", "c1:2:C:T\tgood", "c1:3:\tbad", "c0:1:C:G\tbad"]
    path.write_text("spdi\tclass\n" + "\n".join(lines) + "\n")
    settings = settings_of(spdi="spdi")
    kept, left = read_labelled(genome, path, settings, aliases={"NC_1.1": "c0"})
    assert kept[["line", "_contig", "_local"]].to_numpy().tolist() == [[2, "c0", 0], [6, "c0", 1], [4, "c1", 2]]
    assert dict(zip(left["line"], left["reason"], strict=True)) == {3: "unknown_contig", 5: "bad_position"}


def test_hail_names_locus_and_alleles(tmp_path):
    genome, path = genome_of("ACGTACGTAC", "GGCATT"), tmp_path / "t.tsv"
    rows = ['chrX:1\t["A","C"]\tbad', 'c1:2\t["G", "T"]\tgood', 'c1:6\t["T","TA"]\tgood', 'c1:2\t["GC","G"]\tbad']
    rows += ['c1:1\t["G","A","T"]\tbad', 'c1:x\t["G","A"]\tgood', "c1:4\t[A,G]\tgood"]
    path.write_text("locus\talleles\tclass\n" + "\n".join(rows) + "\n")
    settings = settings_of(locus="locus", alleles="alleles")
    kept, left = read_labelled(genome, path, settings, aliases={"chrX": "c0"})
    told = kept[["line", "_contig", "_local", "_ref_bases", "_alt_bases"]].to_numpy().tolist()
    want = [[2, "c0", 0, "A", "C"], [3, "c1", 1, "G", "T"], [5, "c1", 2, "C", ""], [8, "c1", 3, "A", "G"]]
    assert told == want and kept["_said_position"].tolist() == ["1", "2", "2", "4"]
    assert kept["_said_contig"].tolist() == ["chrX", "c1", "c1", "c1"]
    assert dict(zip(left["line"], left["reason"], strict=True)) == {
        4: "bad_position", 6: "no_alleles", 7: "bad_position"
    }  # fmt: skip
    with pytest.raises(InputError, match="there is no column 'pair'"):
        read_labelled(genome, path, settings | {"alleles": "pair"})


def test_values_per_allele_of_a_vcf_go_to_their_alleles(tmp_path):
    head = ['##INFO=<ID=class,Number=A,Type=String,Description="x, Number=1">', "##INFO=<Number=R,ID=N,Type=Integer>"]
    head += ['##INFO=<ID=D,Number=.,Type=String,Description="Number=A">']
    records = [
        record(alt="C,G", info="class=bad,good;N=5,6,7;D=x,y"),
        record(pos=2, ref="C", alt="G", info="class=good"),
    ]
    records += [record(pos=3, ref="G", alt="A,T", info="class=bad;N=1,2")]
    path = write_vcf(tmp_path / "t.vcf", records, head)
    settings = settings_of(vcf="t.vcf", table=None)
    kept, left = read_labelled(genome_of("ACGTACGTAC"), path, settings)
    told = kept[["_alt_bases", "_label", "N", "D"]].to_numpy().tolist()
    assert told[:3] == [["C", True, "6", "x,y"], ["G", False, "7", "x,y"], ["G", False, "", ""]]
    assert told[3:] == [["A", True, "1,2", ""], ["T", True, "1,2", ""]] and left.empty  # of another number: as they are
