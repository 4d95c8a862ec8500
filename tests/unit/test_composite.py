"""The genomes of a study as one: against the same genomes read by themselves, with two genetic codes."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, planted_genome, write_source

from dnalm.annotation.labels import gene_labels, genome_cds, require_genes
from dnalm.errors import InputError
from dnalm.evaluate.bases import evaluate_bases
from dnalm.evaluate.datasets import datasets, single_genomes, whole_study
from dnalm.evaluate.genes import evaluate_genes
from dnalm.evaluate.language import evaluate_language
from dnalm.figures.gene_precision_recall import draw_gene_precision_recall
from dnalm.figures.splits_and_leakage import draw_splits_and_leakage
from dnalm.genomes.build import build_genome
from dnalm.genomes.composite import by_genome, merge_genomes, read_calls, read_probabilities
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source
from dnalm.io.tables import write_json, write_parquet, write_scores
from dnalm.sequence.alphabet import encode
from dnalm.sequence.genetic_code import translate
from dnalm.sequence.leakage import audit
from dnalm.sequence.splits import SPLITS, final_intervals, make_splits, split_intervals, split_labels
from dnalm.sequence.windows import tile_windows
from dnalm.tasks.finders import closed_form_genes, longest_orf_genes

CODES = {"one": 11, "two": 4, "three": 11}
BLOCKS = {"by": "block", "block": 3000, "test": 0.3, "validation": 0.3, "gap": 200}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three planted genomes of two genetic codes: their folders, and that of all of them."""
    root = tmp_path_factory.mktemp("genomes")
    for seed, (name, code) in enumerate(CODES.items()):
        planted = planted_genome(seed, genes=24 + 8 * seed, circular=name != "three", code=code, name=name)
        source = write_source(root, planted)
        build_genome(name, resolve_source(source), source, root / name)
    merge_genomes("study", [root / name for name in CODES], root / "study")
    return root


@pytest.fixture(scope="module")
def genome(world):
    return load_genome(world / "study")


@pytest.fixture(scope="module")
def singles(world):
    return {name: load_genome(world / name) for name in CODES}


@pytest.fixture(scope="module")
def features(world):
    return pd.read_parquet(world / "study" / "features.parquet")


@pytest.fixture(scope="module")
def splits(singles):
    return make_splits(list(singles.values()), BLOCKS, 1)


def test_genomes_stand_end_to_end_and_keep_what_they_are(genome, singles):
    np.testing.assert_array_equal(genome.codes, np.concatenate([g.codes for g in singles.values()]))
    assert genome.name == "study" and genome.composite and genome.names == list(CODES)
    assert genome.contigs["contig"].tolist() == [f"{name}:c0" for name in CODES]
    assert genome.contigs["genetic_code"].tolist() == list(CODES.values())
    assert genome.contigs["circular"].tolist() == [True, True, False]
    assert genome.digest not in {g.digest for g in singles.values()}


def test_a_part_is_the_genome_again(genome, singles):
    for name, single in singles.items():
        part, (start, end) = genome.part(name), genome.span(name)
        assert part.name == name and not part.composite
        np.testing.assert_array_equal(part.codes, single.codes)
        pd.testing.assert_frame_equal(part.contigs, single.contigs)
        assert end - start == len(single.codes)
        assert single.part(name) is single and single.span(name) == (0, end - start)
    with pytest.raises(InputError, match="no genome 'four'"):
        genome.part("four")


def test_the_same_genomes_give_the_same_bytes(world, tmp_path):
    merge_genomes("study", [world / name for name in CODES], tmp_path)
    for path in (world / "study").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("name", "parts"), [("one", ("one", "two")), ("study", ("one", "one"))])
def test_names_that_cannot_be_told_apart_are_refused(world, tmp_path, name, parts):
    with pytest.raises(InputError, match="names that are not all different"):
        merge_genomes(name, [world / part for part in parts], tmp_path)


def test_genomes_without_annotation_have_no_genes(tmp_path):
    for name, text in (("a", "ACGT" * 50), ("b", "GGCA" * 70)):
        (tmp_path / f"{name}.fa").write_text(f">x\n{text}\n")
        source = {"path": str(tmp_path / f"{name}.fa")}
        build_genome(name, resolve_source(source), source, tmp_path / name)
    merge_genomes("both", [tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    features = pd.read_parquet(tmp_path / "both" / "features.parquet")
    assert len(features) == 0 and len(genome_cds(load_genome(tmp_path / "both"), features)) == 0


def test_codes_are_never_all_in_memory(tmp_path):
    size = 6_000_000
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "codes.npy", np.zeros(size, dtype=np.uint8))
        part = genome_of(np.zeros(1, np.uint8), name=name)
        write_parquet(part.contigs.assign(length=size, genome=name), tmp_path / name / "contigs.parquet")
        columns = dict.fromkeys(("contig", "id", "parent"), pd.Series(dtype=str))
        write_parquet(pd.DataFrame(columns), tmp_path / name / "features.parquet")
        write_json({"name": name, "digest": name}, tmp_path / name / "genome.json")
    tracemalloc.start()
    merge_genomes("all", [tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(load_genome(tmp_path / "all").codes) == 2 * size
    assert peak < size / 2


def test_labels_are_those_of_each_genome_with_its_own_code(genome, features, singles, world):
    whole = gene_labels(genome, features)
    parts = [gene_labels(g, pd.read_parquet(world / name / "features.parquet")) for name, g in singles.items()]
    for field in ("classes", "known", "starts", "stops", "start_codons", "stop_codons"):
        np.testing.assert_array_equal(getattr(whole, field), np.concatenate([getattr(part, field) for part in parts]))
    assert len(genome_cds(genome, features)) == sum(24 + 8 * i for i in range(3))


def test_without_genes_all_genomes_are_named(genome, splits, features):
    with pytest.raises(InputError, match="genomes: one, two, three"):
        require_genes(genome, gene_labels(genome, features.iloc[:0]), splits)


def test_splits_and_windows_speak_of_the_true_genome(genome, singles, splits):
    assert splits.groupby("genome", sort=False)["end"].max().to_dict() == {n: len(g.codes) for n, g in singles.items()}
    shift = {name: genome.span(name)[0] for name in CODES}
    for find in (lambda g: split_intervals(g, splits, "test"), lambda g: final_intervals(g, splits)):
        parts = [find(g) + shift[name] for name, g in singles.items()]
        np.testing.assert_array_equal(find(genome), np.concatenate(parts))
    parts = [split_labels(g, splits) for g in singles.values()]
    np.testing.assert_array_equal(split_labels(genome, splits), np.concatenate(parts))
    parts = [tile_windows(g, splits, 250) for g in singles.values()]
    whole, text = tile_windows(genome, splits, 250), dict.fromkeys(("genome", "contig", "strand", "split"), str)
    pd.testing.assert_frame_equal(whole.astype(text), pd.concat(parts, ignore_index=True).astype(text))


def merged(tmp_path, **sequences):
    """A genome of several in memory: one contig each."""
    for name, codes in sequences.items():
        (tmp_path / f"{name}.fa").write_text(f">c\n{codes}\n")
        source = {"path": str(tmp_path / f"{name}.fa")}
        build_genome(name, resolve_source(source), source, tmp_path / name)
    merge_genomes("all", [tmp_path / name for name in sequences], tmp_path / "all")
    return load_genome(tmp_path / "all")


def test_a_piece_of_a_training_genome_in_a_test_genome_is_found(tmp_path):
    """On the other strand, with both genomes' contigs of the same name."""
    rng = np.random.default_rng(4)
    one, two, three = ("".join(rng.choice(list("ACGT"), 4000)) for _ in range(3))
    stolen = one[1000:1300][::-1].translate(str.maketrans("ACGT", "TGCA"))
    genome = merged(tmp_path, a=one, b=two[:2100] + stolen + two[2400:], c=three)
    rows = [("a", "train"), ("b", "test"), ("c", "validation")]
    splits = pd.DataFrame([(g, "c", 0, 4000, s, "genome") for g, s in rows], columns=[
        "genome", "contig", "start", "end", "split", "reason"])  # fmt: skip
    rna = pd.DataFrame({"contig": ["a:c", "b:c"], "start": [2200, 0], "end": [2300, 50], "type": ["rRNA", "tRNA"]})
    table = audit(genome, splits, tile_windows(genome, splits, 500), rna)
    assert table["genome"].tolist() == ["b"] * 8 + ["c"] * 8
    assert set(table["contig"]) == {"c"}
    hit = table[table["matched"] > 0]
    where = hit[["genome", "start", "kind", "hit_contig", "hit_strand"]]
    assert where.to_numpy().tolist() == [["b", 2000, "repeat", "a:c", "-"]]
    assert 300 <= hit["matched"].item() < 310  # bases beside the piece may match by chance
    assert hit["hit_start"].item() <= 1000 and hit["hit_end"].item() >= 1300


# Finders and metrics


@pytest.fixture(scope="module")
def found(genome, features, splits):
    return {
        "dnalm": closed_form_genes(genome, features, splits, 90),
        "longest_orf": longest_orf_genes(genome, features, splits),
    }


def test_every_genome_is_read_with_its_own_genetic_code(found, singles):
    reads_through = {}
    for name, calls in found["dnalm"].items():
        genome, proteins = singles[name], []
        for gene in calls[~calls["partial"]].itertuples():
            codes = genome.fetch(gene.contig, gene.start, gene.end)
            codes = codes if gene.strand == "+" else 3 - codes[::-1]
            proteins.append((translate(codes, CODES[name]), translate(codes, 11)))
        assert len(proteins) > 10
        assert not any("*" in own[:-1] for own, _ in proteins)
        reads_through[name] = sum("*" in bacterial[:-1] for _, bacterial in proteins)
    assert reads_through["two"] > 5
    assert reads_through["one"] == reads_through["three"] == 0


@pytest.fixture(scope="module")
def files(found, singles, tmp_path_factory):
    """Calls and made-up probabilities of every genome, as the rules write them."""
    root, rng = tmp_path_factory.mktemp("annotate"), np.random.default_rng(3)
    paths, scores = [], []
    for method, tables in found.items():
        for name in CODES:
            paths.append(root / name / "finders" / f"{method}.parquet")
            write_parquet(tables[name], paths[-1])
    for name, single in singles.items():
        scores.append(root / name / "probabilities" / "dnalm.npz")
        write_scores(scores[-1], [[0, len(single.codes)]], p0=rng.random(len(single.codes)))
    assert by_genome(scores) == dict(zip(CODES, scores, strict=True))
    return paths, scores


def test_outputs_by_genome_are_put_together_again(files, genome, singles, found):
    calls, probabilities = read_calls(genome, files[0]), read_probabilities(genome, files[1])
    assert list(calls) == ["dnalm", "longest_orf"]
    for name in CODES:
        mine = calls["dnalm"][calls["dnalm"]["contig"] == f"{name}:c0"].assign(contig="c0").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, found["dnalm"][name])
        alone = read_calls(singles[name], [path for path in files[0] if name in path.parts])
        pd.testing.assert_frame_equal(alone["dnalm"], found["dnalm"][name])
    intervals, columns = probabilities["dnalm"]
    assert intervals.tolist() == [list(genome.span(name)) for name in CODES]
    alone = [read_probabilities(singles[n], [p])["dnalm"][1]["p0"] for n, p in zip(CODES, files[1], strict=True)]
    np.testing.assert_array_equal(columns["p0"], np.concatenate(alone))


def test_metrics_of_a_genome_are_those_of_it_alone(files, genome, singles, splits, features, world):
    settings, common = {"unit": 400, "bootstrap": 50}, {"study": "study", "stage": "annotate", "splits_sha256": "x"}

    def judged(genome, features, paths, scores):
        calls, labels = read_calls(genome, paths), gene_labels(genome, features)
        rows = evaluate_genes(genome_cds(genome, features), splits, genome, calls, settings, 1, common)
        probabilities = read_probabilities(genome, scores)
        more = evaluate_bases(genome, splits, labels, probabilities, calls, settings, 1, common)
        return [pd.DataFrame(a + b) for a, b in zip(rows, more, strict=True)]

    together = judged(genome, features, *files)
    for table, tables in zip(together, map(single_genomes, together), strict=True):
        assert list(tables) == list(CODES)
        assert set(whole_study(table)["dataset"]) == {"study"}
    for name, single in singles.items():
        mine = [[path for path in paths if name in path.parts] for paths in files]
        alone = judged(single, pd.read_parquet(world / name / "features.parquet"), *mine)
        for table, expected in zip(together, alone, strict=True):
            rows = single_genomes(table)[name]
            if "method" in rows:  # the constant of `majority` is the share of all training blocks
                rows, expected = rows[rows["method"] != "majority"], expected[expected["method"] != "majority"]
            else:
                rows, expected = rows[rows["method_b"] != "majority"], expected[expected["method_b"] != "majority"]
            pd.testing.assert_frame_equal(rows.reset_index(drop=True), expected.reset_index(drop=True))
            assert len(whole_study(expected)) == len(expected) and single_genomes(expected) == {}


def test_bits_of_a_genome_are_those_of_it_alone(genome, singles, splits, features, world, tmp_path):
    settings, common = {"unit": 400, "bootstrap": 50}, {"study": "study", "stage": "pretrain", "splits_sha256": "x"}
    values = np.random.default_rng(5).gamma(2, 0.5, len(genome.codes))
    repeats = pd.DataFrame([("two", "c0", 0, 900, 40), ("three", "c0", 3000, 5000, 40)], columns=[
        "genome", "contig", "start", "end", "matched"])  # fmt: skip

    def judged(genome, features, values):
        held = np.concatenate([split_intervals(genome, splits, split) for split in ("validation", "test")])
        bits = values[np.concatenate([np.arange(*span) for span in held])]
        write_scores(tmp_path / "a.npz", held, causal_forward=bits, causal_reverse=bits, two_sided=bits / 2)
        write_scores(tmp_path / "b.npz", held, two_sided=bits)
        paths = {"dnalm": tmp_path / "a.npz", "flank_counts": tmp_path / "b.npz"}
        tables = evaluate_language(genome, splits, features, repeats, paths, settings, 1, common)
        return [pd.DataFrame(rows) for rows in tables]

    together = judged(genome, features, values)
    for name, single in singles.items():
        own = pd.read_parquet(world / name / "features.parquet")
        for table, expected in zip(together, judged(single, own, values[slice(*genome.span(name))]), strict=True):
            pd.testing.assert_frame_equal(single_genomes(table)[name].reset_index(drop=True), expected)
    whole = whole_study(together[0]).query("split == 'test' and stratum == 'all' and method == 'flank_counts'")
    assert whole["value"].item() == pytest.approx(values[split_labels(genome, splits) == SPLITS.index("test")].mean())


def test_a_genome_without_held_out_blocks_is_no_dataset(genome, singles, splits):
    blocks = splits.assign(split=splits["split"].where(splits["genome"] != "two", "train"))
    assert [name for name, _ in datasets(genome, blocks)] == ["study", "one", "three"]
    assert [name for name, _ in datasets(singles["one"], blocks)] == ["one"]


def test_rows_of_other_genomes_are_left_out(genome, singles):
    table = pd.DataFrame({"genome": ["two", "four", "one"], "contig": ["c0", "c0", "c1"]})
    assert genome.rows(table)["contig"].tolist() == ["two:c0", "one:c1"]
    assert singles["one"].rows(table)["contig"].tolist() == ["c1"]
    assert genome_of(encode("ACGT"), name="four").rows(table).index.tolist() == [1]


# Figures


def test_figures_are_of_all_genomes(genome, splits, features, files, singles):
    leakage = pd.DataFrame({"genome": ["two", "two"], "contig": "c0", "start": [0, 250], "end": [250, 500]})
    leakage = leakage.assign(split="test", kind=["none", "repeat"], share=[0.0, 0.5], identity=[0.0, 0.9])
    _, table, alt = draw_splits_and_leakage(genome, splits, features, leakage)
    blocks = table[table["panel"] == "blocks"]
    assert (blocks["end"] - blocks["start"]).groupby(blocks["contig"], sort=False).sum().to_dict() == {
        f"{name}:c0": len(single.codes) for name, single in singles.items()
    }
    assert table.loc[table["panel"] == "matches", "contig"].tolist() == ["two:c0"]
    assert alt.startswith(f"study, {len(genome.codes):,} bases, divided into train")
    calls, cds = read_calls(genome, files[0]), genome_cds(genome, features)
    common = {"study": "study", "stage": "annotate", "splits_sha256": "x"}
    rows, _ = evaluate_genes(cds, splits, genome, calls, {"unit": 400, "bootstrap": 50}, 1, common)
    metrics = whole_study(pd.DataFrame(rows))
    _, table, alt = draw_gene_precision_recall(genome, splits, cds, calls, metrics)
    last = table[(table["panel"] == "curve") & (table["method"] == "dnalm")].iloc[-1]
    value = metrics[metrics["split"] == "test"].set_index(["method", "metric"])["value"]
    assert last["sensitivity"] == pytest.approx(value["dnalm", "gene_sensitivity_3prime"])
    assert last["precision"] == pytest.approx(value["dnalm", "gene_precision_3prime"])
