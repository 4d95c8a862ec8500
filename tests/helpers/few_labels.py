"""A small made-up stage ``few_labels``: tables with numbers that can be checked by hand."""

import pandas as pd

from dnalm.config import load_study
from dnalm.evaluate.few_labels import UNLABELLED, stratum_of
from dnalm.io.tables import COMPARISON_COLUMNS, write_tsv
from helpers.study import make_study, metric_row, write_figures

ARMS = ("pretrained", "pretrained_elsewhere", "dnalm_random_init_equal_compute", "closed_form")
NUMBERS = {"10": 10, "50": 50, "all": 812}
#: F1 of the arms at 10 genes; every step adds 0.1, and both ends are right for half as many.
F1 = dict(zip(ARMS, (0.5, 0.45, 0.3, 0.6), strict=True))
PYRODIGAL, HALF, N = 0.95, 0.02, 200


def value_of(arm, genes, metric):
    value = F1[arm] + 0.1 * list(NUMBERS).index(genes)
    return value / 2 if metric == "gene_f1_exact" else value


def metrics_of(seeds=(1, 2)):
    """Rows by seed, 0.01 around their mean."""
    rows = []
    for metric in ("gene_f1_3prime", "gene_f1_exact"):
        for genes in NUMBERS:
            for arm in ARMS:
                value, place = value_of(arm, genes, metric), {"stratum": stratum_of(genes), "n": N}
                ends = [value - HALF, value + HALF]
                for i, seed in enumerate(seeds if len(seeds) > 1 else ()):
                    shifted = value + 0.01 * (2 * i - 1)
                    rows.append(metric_row("few_labels", arm, metric, shifted, *ends, seed=seed, **place))
                told = "mean" if len(seeds) > 1 else seeds[0]
                rows.append(metric_row("few_labels", arm, metric, value, *ends, seed=told, **place))
        rows.append(metric_row("few_labels", "pyrodigal_single", metric, PYRODIGAL, stratum=UNLABELLED, n=N, seed=""))
    return pd.DataFrame(rows)


def comparisons_of(wide=0.05):
    """Every arm minus every later one, with intervals of one half-width."""
    rows = []
    for metric in ("gene_f1_3prime", "gene_f1_exact"):
        for genes in NUMBERS:
            for i, a in enumerate(ARMS):
                for b in ARMS[i + 1 :]:
                    d = value_of(a, genes, metric) - value_of(b, genes, metric)
                    place = ("made", "few_labels", "g", "test", stratum_of(genes), metric, a, b)
                    rows.append((*place, d, d - wide, d + wide, N, "500 bp"))
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def costs_of(seeds=(1, 2)):
    """Facts of every finder; the closed form has none of a network."""
    rows = []
    for arm in ARMS:
        for genes, count in NUMBERS.items():
            for seed in seeds:
                row = {"method": arm, "genes": genes, "seed": seed, "cpu_minutes": 1.5, "labelled_genes": count}
                row |= {"training_genes": count // 2, "decoder_genes": count - count // 2, "pretrain_minutes": 0.0}
                rows.append(row | ({} if arm == "closed_form" else {"bases_seen": 1000.0 * seed, "memory_bases": 0}))
    return pd.DataFrame(rows)


def make_few_study(root, seeds=(1, 2)):
    """A study without the gene stage; arguments of `dnalm.report.inputs.read_inputs`."""
    config, results, genomes, captions, names = make_study(root, annotate=False)
    for name, table in (("metrics", metrics_of(seeds)), ("comparisons", comparisons_of()), ("arms", costs_of(seeds))):
        write_tsv(table, results / "few_labels" / f"{name}.tsv")
    write_figures(results / "figures", captions, ["few_labels"])
    few = {"genes": [10, 50, "all"], "seeds": len(seeds)}
    config = load_study(config | {"few_labels": few}).model_dump(mode="json")
    return config, results, genomes, captions, [*names, "few_labels"]
