"""Variants without a label: the features of others, nothing of them in a figure, reasons where nothing is said."""

import gzip
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, planted_genome

from dnalm.config_labelled import LabelledSet
from dnalm.errors import InputError
from dnalm.sequence.alphabet import decode
from dnalm.tasks.labelled import OURS, facts, matrix, predict, predictions, prepare, save_model
from dnalm.tasks.labelled_unlabelled import IMPRECISE, facts_of_unlabelled, predict_unlabelled, write_unlabelled
from dnalm.variant_files.labelled import read_set
from dnalm.variants import trained
from dnalm.variants.coding import read_coding
from dnalm.variants.final import FinalScorer

LABEL = {"column": "class", "positive": ["bad"], "negative": ["good"]}
FEATURES = ["consequence", "chemistry", "residues", "substitution", "splice", "length", "columns", "windows"]


def settings_of(**keys):
    base = {"table": "t.tsv", "position": "pos", "label": LABEL, "groups": {"by": "gene"}, "id": "name"}
    base |= {"columns": {"phylop": "phylop"}, "features": FEATURES}
    return LabelledSet.model_validate(base | keys).model_dump(mode="json")


@pytest.fixture(scope="module")
def planted():
    """A genome, and a table of substitutions whose conservation tells by and large whether they are bad."""
    found, rng, rows = planted_genome(genes=10, block=1500), np.random.default_rng(4), []
    text = decode(found.genome.codes & 7)
    level = rng.normal(size=len(text))
    for _, start, end, _ in found.genes[1:8]:
        for position in np.sort(rng.choice(np.arange(start + 3, end - 3), 30, replace=False)):
            base = text[position]
            for alt in rng.permutation([b for b in "ACGT" if b != base])[:2]:
                rows.append((f"v{len(rows)}", position + 1, base, alt, round(level[position], 3)))
    table = pd.DataFrame(rows, columns=["name", "pos", "ref", "alt", "phylop"])
    table["class"] = np.where(table["phylop"] + 0.6 * rng.normal(size=len(table)) > 0, "bad", "good")
    return found, read_coding(found.genome, found.features), table


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setitem(trained.TREES, "max_iter", 8)


def prepared(planted, table, path, settings=None, **files):
    genome, coding, _ = planted
    table.to_csv(path, sep="\t", index=False)
    return prepare(genome.genome, path, settings or settings_of(), 1, coding, **files)


def scored(data, settings, path):
    save_model(data, settings, 1, path)
    return predict_unlabelled(data, FinalScorer.load(path), judged(data), 0.9)


def judged(data, probability=0.5):
    """Held-out predictions as `predictions` gives them, each with the same probability and thresholds."""
    table = pd.DataFrame({"label": data.label, "consequence": data.table["_consequence"], OURS: probability})
    return table.assign(threshold=0.3, strict=0.7)


def test_a_labelled_row_given_without_its_label_has_the_same_features(planted, tmp_path):
    table = planted[2]
    rows = [3, 50, 51, len(table) - 1]
    whole = prepared(planted, table, tmp_path / "t.tsv")
    blank = table.assign(**{"class": table["class"].where(~table.index.isin(rows), "unsure")})
    data = prepared(planted, blank, tmp_path / "u.tsv")
    assert data.rest.table["name"].tolist() == [f"v{i}" for i in rows] and len(data.table) == len(table) - 4
    want, names = matrix(whole, list(whole.features))
    found, same = matrix(data.rest, list(data.rest.features))
    at = [whole.table["name"].tolist().index(f"v{i}") for i in rows]
    assert names == same and np.array_equal(found, want[at], equal_nan=True)


def test_the_table_s_own_residues_and_exon_ends_come_from_labelled_rows(tmp_path):
    """A genome without annotation: rows without a label change nothing for the others, and find the same neighbours."""
    genome = genome_of("ACGT" * 30)
    rows = [(f"v{i}", i + 1, "ACGT"[i % 4], "CGTA"[i % 4], str(i % 5), "bad" if i % 2 else "good",
             "ACDEFGHIKL"[i // 3 % 10], "W", i // 3 + 1, f"{i + 1}" if i < 60 else f"60+{i - 59}")
            for i in range(90)]  # fmt: skip
    names = ["name", "pos", "ref", "alt", "phylop", "class", "before", "after", "number", "hgvs"]
    table = pd.DataFrame(rows, columns=names).assign(what="missense")
    settings = settings_of(
        amino_acids={"ref": "before", "alt": "after", "position": "number"}, transcript_position="hgvs",
        consequence={"column": "what", "order": ["missense"]}, groups={"by": "block", "block": 30},
    )  # fmt: skip
    rows = [20, 40, 89]
    some = table.drop(index=rows)
    some.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    alone = prepare(genome, tmp_path / "t.tsv", settings, 1)
    blank = table.assign(**{"class": table["class"].where(~table.index.isin(rows), "unsure")})
    blank.loc[20, ["phylop", "what"]] = "?", "never heard of"
    blank.to_csv(tmp_path / "u.tsv", sep="\t", index=False)
    data = prepare(genome, tmp_path / "u.tsv", settings, 1)
    for family, values in alone.features.items():
        pd.testing.assert_frame_equal(values, data.features[family])
    table.to_csv(tmp_path / "w.tsv", sep="\t", index=False)
    whole = prepare(genome, tmp_path / "w.tsv", settings, 1)
    (want, _), (found, _) = matrix(whole, list(whole.features)), matrix(data.rest, list(data.rest.features))
    assert np.array_equal(found[1:], want[[40, 89]])
    told = predict_unlabelled(data, _fitted(data, settings, tmp_path), judged(data), 0.9)
    assert told["reason"].replace(IMPRECISE, "").tolist() == ["consequence_not_judged", "", ""]


def _fitted(data, settings, folder):
    save_model(data, settings, 1, folder / "m.json")
    return FinalScorer.load(folder / "m.json")


def test_nothing_of_them_is_in_any_figure(planted, tmp_path):
    table, rng = planted[2], np.random.default_rng(1)
    pairs = zip(table["ref"], table["alt"], strict=True)
    extra = table.assign(alt=[next(b for b in "ACGT" if b not in pair) for pair in pairs])
    extra = extra.assign(**{"class": "unsure"}, phylop=rng.normal(size=len(table)), name="x")
    settings = settings_of()
    tables = []
    for name, rows in (("t.tsv", table), ("u.tsv", pd.concat([table, extra]))):
        data = prepared(planted, rows, tmp_path / name, settings)
        fitted, raw = predict(data, settings, 1)
        tables.append(predictions(data, fitted, raw))
    pd.testing.assert_frame_equal(*tables)
    assert len(data.rest.table) > 50 and data.rest.table["name"].eq("x").all()


def test_probabilities_are_those_of_a_refit_by_hand(planted, tmp_path):
    """One group's labels are taken away: it is predicted as `held_out` does that is given the same features."""
    table, settings = planted[2], settings_of(groups={"by": "column", "column": "group"})
    table = table.assign(group=[f"g{i * 5 // len(table)}" for i in range(len(table))])
    hidden = (table["group"] == "g2").to_numpy()
    data = prepared(planted, table.assign(**{"class": table["class"].mask(hidden, "")}), tmp_path / "u.tsv", settings)
    found = scored(data, settings, tmp_path / "m.json")
    assert found["id"].tolist() == table.loc[hidden, "name"].tolist() and found["probability"].notna().any()
    (x, _), (new, _) = matrix(data, list(data.features)), matrix(data.rest, list(data.rest.features))
    held = np.arange(len(x) + len(new)) >= len(x)
    y, group = (
        np.append(data.label, np.zeros(len(new), dtype=bool)),
        np.append(data.group.astype(str), ["g2"] * len(new)),
    )
    want = trained.held_out(np.concatenate([x, new]), y, group, held.astype(int), ("mean",), 1)["mean"]
    asked = found["call"].ne("abstained").to_numpy()
    assert np.allclose(found["probability"][asked], want.probability[held][asked], rtol=1e-12, atol=0)


def test_nothing_is_called_harmful_where_such_calls_were_not_precise(planted, tmp_path):
    """Silent changes are called as they are; of missense ones with a high probability too few were harmful."""
    table = planted[2]
    blank = table.assign(**{"class": table["class"].where(np.arange(len(table)) % 4 > 0, "unsure")})
    data, settings = prepared(planted, blank, tmp_path / "t.tsv"), settings_of()
    scorer = _fitted(data, settings, tmp_path)
    scorer = replace(scorer, threshold=0.2, strict=0.4)
    held = judged(data, np.where(data.label, 0.9, 0.1))
    precise = predict_unlabelled(data, scorer, held, 0.9)
    assert (precise["call"] == "harmful").sum() > 5 and not (precise["reason"] == IMPRECISE).any()
    missense = held["consequence"] == "missense"
    held.loc[missense, OURS] = 0.9
    found = predict_unlabelled(data, scorer, held, 0.9)
    rows = (precise["call"] == "harmful") & (found["consequence"] == "missense")
    assert rows.any() and (found.loc[rows, "call"] == "uncertain").all()
    assert (found.loc[rows, "reason"] == IMPRECISE).all() and found["probability"].equals(precise["probability"])
    assert found.loc[rows, "held_out_harmful"].to_numpy() == pytest.approx(held.loc[missense, "label"].mean())
    assert set(found.loc[rows, "held_out"]) == {int(missense.sum())}
    assert (found.loc[~rows, "call"] == precise.loc[~rows, "call"]).all()
    assert f"{rows.sum()} of the uncertain ones" in dict(facts_of_unlabelled(found))["without a label"]


def test_what_cannot_be_asked_about_has_its_reason(planted, tmp_path):
    genome, _, table = planted
    first = table.iloc[0]
    mine = set(table.loc[table["pos"] == first["pos"], "alt"]) | {first["ref"]}
    wrong = next(b for b in "ACGT" if b not in mine)  # the third change of this base has no label
    text = decode(genome.genome.codes & 7)
    # between genes: no variant with a label lies there; an insertion: none with a label is one
    far = genome.genes[4][2] + 20  # behind a gene
    rows = [("far", far + 1, text[far], next(b for b in "ACGT" if b != text[far])),
            ("ref", first["pos"], wrong, first["alt"]),
            ("off", 10**8, "A", "C"), ("gap", first["pos"], first["ref"], first["ref"] + "AAA"),
            ("sure", first["pos"], first["ref"], wrong), ("odd", first["pos"] + 1, "N", "A")]  # fmt: skip
    more = pd.DataFrame(rows, columns=["name", "pos", "ref", "alt"]).assign(phylop="0.1", **{"class": "unsure"})
    data = prepared(planted, pd.concat([table, more]), tmp_path / "t.tsv")
    found = scored(data, settings_of(), tmp_path / "m.json").set_index("id")
    found["reason"] = found["reason"].replace(IMPRECISE, "")
    assert found["reason"].to_dict() == {
        "far": "consequence_not_judged", "ref": "ref_mismatch", "off": "bad_position", "gap": found["reason"]["gap"],
        "sure": "", "odd": "no_alleles",
    }  # fmt: skip
    assert found["reason"]["gap"] in ("kind_without_label", "consequence_not_judged")
    assert found["probability"].notna().tolist() == [False, False, False, False, True, False]
    assert (found["call"] == "abstained").tolist() == [True, True, True, True, False, True]
    assert found["position"].tolist() == [str(row[1]) for row in rows] and found["line"].is_monotonic_increasing
    told = dict(facts_of_unlabelled(found.reset_index()))["without a label"]
    assert told.startswith("1 of 6 variants") and "1 ref mismatch" in told
    assert any("6 rows: no label" in t for about, t in facts(data, settings_of()) if about == "left out")


def test_files_of_the_user_s_own_are_predicted_as_well(planted, tmp_path):
    genome, _, table = planted
    one, two = table.iloc[0], table.iloc[9]
    contig = genome.genome.contigs["contig"][0]
    new = next(b for b in "ACGT" if b not in {one["ref"], *table.loc[table["pos"] == one["pos"], "alt"]})
    with gzip.open(tmp_path / "mine.vcf.gz", "wt") as file:
        file.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        file.write(f"{contig}\t{one['pos']}\trs1\t{one['ref']}\t{new}\t.\t.\tphylop=0.4\n")
        file.write(f"{contig}\t{two['pos']}\trs2\t{two['ref']}\t{two['alt']}\t.\t.\tphylop={two['phylop']}\n")
    settings = settings_of(predict=["mine.vcf.gz"], id=None)
    data = prepared(planted, table, tmp_path / "t.tsv", settings, asked=[tmp_path / "mine.vcf.gz"])
    found = scored(data, settings, tmp_path / "m.json")
    assert found["id"].tolist() == ["rs1", "rs2"] and found["source"].unique().tolist() == ["mine.vcf.gz"]
    assert found["probability"].notna().all() and found["contig"].tolist() == [contig] * 2
    known = {"bad": "harmful", "good": "harmless"}[two["class"]]
    assert found["label"].tolist() == ["", known]
    assert dict(facts_of_unlabelled(found))["known already"].startswith("1 variants")
    write_unlabelled(found, tmp_path / "a.tsv.gz")
    first = (tmp_path / "a.tsv.gz").read_bytes()
    write_unlabelled(found, tmp_path / "a.tsv.gz")
    assert (tmp_path / "a.tsv.gz").read_bytes() == first
    again = pd.read_csv(tmp_path / "a.tsv.gz", sep="\t", keep_default_na=False)
    assert again["probability"].astype(float).to_numpy() == pytest.approx(found["probability"], rel=1e-5)
    (tmp_path / "mine.tsv").write_text("pos\tref\talt\n1\tA\tC\n")
    with pytest.raises(InputError, match=r"no column 'phylop'.*mine.tsv|mine.tsv.*no column 'phylop'"):
        prepared(planted, table, tmp_path / "t.tsv", settings, asked=[tmp_path / "mine.tsv"])


def test_an_allele_that_another_file_has_a_label_of_is_not_without(tmp_path):
    genome = genome_of("ACGTACGTAC")
    (tmp_path / "t.tsv").write_text(
        "pos\tref\talt\tclass\n1\tA\tC\tunsure\n2\tC\tT\tbad\n3\tG\tT\tunsure\n3\tG\tT\tunsure\n"
    )
    (tmp_path / "u.tsv").write_text("pos\tref\talt\tclass\n1\tA\tC\tgood\n4\tT\tC\tunsure\n")
    other = {"table": "u.tsv", "position": "pos", "label": LABEL}
    settings = settings_of(also=[other], id=None, columns={})
    kept, left, rest = read_set(genome, tmp_path / "t.tsv", settings, also=[tmp_path / "u.tsv"])
    assert kept["_position"].tolist() == [0, 1] and len(left) == 4
    assert list(zip(rest["source"], rest["_position"], strict=True)) == [("t.tsv", 2), ("u.tsv", 3)]
