"""A small made-up study on disk: every file that the report reads, with numbers that can be checked by hand."""

import json

import pandas as pd

from dnalm.config import load_study
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS, write_tsv
from dnalm.report.results import Stage

GENES = 40
#: Method: (genes found, of these with the right start, calls beyond the annotation).
FOUND = {
    "dnalm": (36, 30, 4), "pyrodigal_single": (38, 34, 2), "pyrodigal_meta": (37, 33, 3), "closed_form": (30, 15, 10),
    "dnalm_random_init": (35, 28, 5), "dnalm_memory_only": (36, 30, 4),
}  # fmt: skip
BITS = {
    "bits_per_base": {"dnalm": 1.9, "markov_order_2": 1.96, "markov_order_8": 1.95, "markov_mixture": 1.93},
    "bits_per_base_two_sided": {"dnalm": 1.0, "flank_counts": 1.5},
}
FIGURES = ["learning_curve", "bits_by_region", "splits_and_leakage", "gene_precision_recall", "browser", "calibration"]
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="520pt" height="200pt" viewBox="0 0 520 200"><metadata>
<rdf:RDF xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><cc:Work><dc:description>{alt}</dc:description></cc:Work></rdf:RDF>
</metadata><rect width="520" height="200" fill="#ddeeff"/><circle cx="260" cy="100" r="80"/></svg>
"""


def metric_row(stage, method, metric, value, low=None, high=None, stratum="all", split="test", n=1000, seed=1):
    low, high = (value - 0.01 if low is None else low), (value + 0.01 if high is None else high)
    row = ("made", stage, "g", split, stratum, method, metric, value, low, high, n, seed, "f" * 64)
    return dict(zip(METRIC_COLUMNS, row, strict=True))


def comparison_row(stage, other, metric, difference, low, high, stratum="all", split="test", n=1000):
    row = ("made", stage, "g", split, stratum, metric, "dnalm", other, difference, low, high, n, "500 bp")
    return dict(zip(COMPARISON_COLUMNS, row, strict=True))


def stage(metrics, comparisons=()):
    return Stage(pd.DataFrame(metrics, columns=METRIC_COLUMNS), pd.DataFrame(comparisons, columns=COMPARISON_COLUMNS))


def language_rows(strata=("all", "coding", "intergenic")):
    """(metrics, comparisons) of a language model that is clearly better than all others."""
    metrics, comparisons = [], []
    for metric, values in BITS.items():
        for stratum in strata:
            for method, value in values.items():
                for split in ("validation", "test"):
                    metrics.append(metric_row("pretrain", method, metric, value, stratum=stratum, split=split))
                if method != "dnalm":
                    d = values["dnalm"] - value
                    comparisons.append(comparison_row("pretrain", method, metric, d, d - 0.01, d + 0.01, stratum))
    return metrics, comparisons


def gene_scores(found, right_start, extra):
    """Scores of a finder from its counts."""
    calls = found + extra
    return {
        "gene_sensitivity_3prime": found / GENES, "gene_precision_3prime": found / calls,
        "gene_f1_3prime": 2 * found / (calls + GENES), "gene_f1_exact": 2 * right_start / (calls + GENES),
        "start_accuracy": right_start / found,
    }  # fmt: skip


def gene_rows():
    """(metrics, comparisons) of gene finders; no difference is clear of zero, except from the closed form."""
    metrics, comparisons = [], []
    ours = gene_scores(*FOUND["dnalm"])
    for method, counts in FOUND.items():
        for metric, value in gene_scores(*counts).items():
            metrics.append(metric_row("annotate", method, metric, value, n=GENES))
            if method != "dnalm":
                d, wide = ours[metric] - value, 0.01 if method == "closed_form" else 0.2
                comparisons.append(comparison_row("annotate", method, metric, d, d - wide, d + wide, n=GENES))
    for method, brier in (("dnalm", 0.02), ("majority", 0.09)):
        metrics += [metric_row("annotate", method, "brier", brier), metric_row("annotate", method, "ece", brier / 2)]
    return metrics, comparisons


def write_stage(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    write_tsv(pd.DataFrame(rows[0], columns=METRIC_COLUMNS), folder / "metrics.tsv")
    write_tsv(pd.DataFrame(rows[1], columns=COMPARISON_COLUMNS), folder / "comparisons.tsv")
    run = {
        "version": "9.8.7", "git_commit": "a" * 40, "git_dirty": False, "lock_sha256": "b" * 64, "python": "3.11.7",
        "platform": "Linux", "device": "cpu", "threads": 1, "seed": 1, "started": "2031-05-09T23:59:59Z",
        "wall_seconds": 75.0, "peak_memory_mb": 512.0,
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run))


def write_benchmark(path, seconds, memory, load="50.00"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\tmean_load\n{seconds}\t0:00:00\t{memory}\t{load}\n")


def write_genome(folder, contig):
    folder.mkdir(parents=True)
    contigs = [
        {"contig": c, "length": n, "circular": False, "genetic_code": 11} for c, n in ((contig, 8000), ("c2", 2000))
    ]
    card = {
        "name": "g", "genetic_code": 11, "bases": 10_000, "gc": 0.4, "n": 3, "soft_masked_share": 0.0,
        "circular": False, "features": {"CDS": 80}, "contigs": contigs,
        "cds": {"total": 80, "joined": 0, "pseudo": 1, "partial": 0},
    }  # fmt: skip
    (folder / "genome.json").write_text(json.dumps(card))
    provenance = {"kind": "path", "name": "g.fa", "file": "g.fa", "bytes": 9, "sha256": "c" * 64, "region": None}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    (folder / "genome.fa.gz").write_bytes(b"x")
    write_benchmark(folder / "benchmarks" / "genome.tsv", 2.5, 100)


def write_blocks(results, contig):
    blocks = [("train", 0, 6000), ("gap", 6000, 6500), ("test", 6500, 8000)]
    rows = [["g", contig, a, b, s, "block"] for s, a, b in blocks] + [["g", "c2", 0, 2000, "validation", "block"]]
    splits = pd.DataFrame(rows, columns=["genome", "contig", "start", "end", "split", "reason"])
    write_tsv(splits, results / "splits.tsv")
    windows = [(s, a) for s, a in (("train", 0), ("test", 6500), ("test", 7000), ("test", 7500), ("validation", 0))]
    table = pd.DataFrame(windows, columns=["split", "start"]).assign(genome="g", contig=contig)
    table.to_parquet(results / "windows.parquet")
    write_leakage(results / "leakage.tsv", contig, [(0, 0.0, "none"), (40, 1.0, "repeat"), (400, 0.8, "rRNA")])


def write_leakage(path, contig, found):
    """Test windows of 500 bases with (matched, identity, kind) of their nearest match, and a validation window."""
    rows = []
    for i, (matched, identity, kind) in enumerate([*found, (0, 0.0, "none")]):
        split = "test" if i < len(found) else "validation"
        share = matched / identity / 500 if matched else 0.0
        hit = (contig, 0, 500, "+") if matched else ("", -1, -1, "")
        rows.append(["g", contig, 6500 + 500 * i, 7000 + 500 * i, split, matched, share, identity, *hit, kind])
    columns = ["genome", "contig", "start", "end", "split", "matched", "share", "identity", "hit_contig", "hit_start"]
    write_tsv(pd.DataFrame(rows, columns=[*columns, "hit_end", "hit_strand", "kind"]), path)


def write_figures(folder, captions, names):
    for path in (folder, captions):
        path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.svg").write_text(SVG.format(alt=f"What {name} shows: 3 of 4."))
        pd.DataFrame({"method": ["a", "b"], "value": [0.5, -1.25]}).to_csv(
            folder / f"{name}.tsv", sep="\t", index=False
        )
        (captions / f"{name}.rst").write_text(f"Caption of *{name}* with ``code`` and **weight**.\n")


def final_rows(seeds=(1, 2)):
    """`language_rows` of a final training from several seeds: test rows alone, mean first; and a recounted memory."""
    metrics, comparisons = language_rows()
    metrics = [row for row in metrics if row["split"] == "test"]
    for row in [row for row in metrics if row["method"] == "dnalm"]:
        row["seed"] = "mean"
        shifts = [(i - (len(seeds) - 1) / 2) * 0.01 for i in range(len(seeds))]
        for seed, shift in zip(seeds, shifts, strict=True):
            metrics.append(row | {"seed": seed, "value": row["value"] + shift})
    for stratum in ("all", "coding", "intergenic"):
        place = ("pretrain", "dnalm_recounted", "bits_per_base_two_sided")
        metrics.append(metric_row(*place, 0.9, stratum=stratum, seed=seeds[0]))
        comparisons.append(comparison_row(*place, 0.1, 0.05, 0.15, stratum))
    return metrics, comparisons


def make_study(root, contig="c1", annotate=True, language=None, genes=None, pretrain=None):
    """Write a study below ``root``; returns the arguments of `dnalm.report.inputs.read_inputs`."""
    config = {"study": "made", "genomes": {"g": {"path": "g.fa"}}, "evaluate": {"unit": 500}}
    config |= {"pretrain": pretrain} if pretrain else {}
    config = load_study(config | ({} if annotate else {"annotate": None})).model_dump(mode="json")
    results, genomes, captions = root / "results" / "made", root / "results" / "genomes", root / "captions"
    write_genome(genomes / "g", contig)
    write_stage(results / "pretrain", language or language_rows())
    if annotate:
        write_stage(results / "annotate", genes or gene_rows())
        (results / "annotate" / "g").mkdir()
        (results / "annotate" / "g" / "genes.gff3.gz").write_bytes(b"x")
    (results / "pretrain" / "model").mkdir()
    (results / "pretrain" / "model" / "README.md").write_text(
        "# Card\n\nTrained on `g`.\n\n- **It remembers**\n  all.\n"
    )
    write_blocks(results, contig)
    write_benchmark(results / "benchmarks" / "pretrain.tsv", 100.0, 2000)
    write_benchmark(results / "benchmarks" / "quick.tsv", 0.4, "NA", "NA")
    names = FIGURES if annotate else FIGURES[:3]
    write_figures(results / "figures", captions, names)
    return config, results, genomes, captions, names
