"""Do scores without labels know what a change does? All substitutions of annotated genes, judged by their consequence.

Saturation mutagenesis: every base of every whole gene in the blocks becomes every other base. The genetic code says
what that does to the protein; the scores have not seen it. This is a check of sanity and no measure of use:
consequences are computed, not observed.

Left out: start and stop codons, codons with an N, codons that are a stop inside of the gene, and bases of more than one
coding sequence, where one change has two consequences.
"""

import itertools
import logging

import numpy as np
import pandas as pd

from dnalm.annotation.labels import genome_cds, whole_genes
from dnalm.evaluate.datasets import datasets
from dnalm.evaluate.intervals import bootstrap, draws_of, ratio, units_of
from dnalm.evaluate.ranking import Auroc, difference, interval
from dnalm.sequence.genetic_code import genetic_code
from dnalm.sequence.splits import blocks_of, place_in, split_intervals
from dnalm.variants.codon_frames import CodonFrames

log = logging.getLogger(__name__)
#: What a substitution does; the number is the place in this list.
CONSEQUENCES = ("synonymous", "missense", "stop_gained")
SYNONYMOUS, MISSENSE, STOP_GAINED = range(3)
#: Methods whose scores are log-likelihood ratios turned round, in nats.
RATIOS = ("dnalm", "markov_mixture", "flank_counts")
#: Columns of the table of substitutions.
COLUMNS = {
    "position": np.int64, "ref": np.int8, "alt": np.int8, "gene": np.int32, "codon_position": np.int8,
    "change": np.int8, "consequence": np.int8,
}  # fmt: skip


def saturation(genome, features: pd.DataFrame, blocks: pd.DataFrame) -> pd.DataFrame:
    """All substitutions of the whole genes that lie inside of blocks, sorted by position and alternative.

    Columns: ``position`` (global), ``ref`` and ``alt`` (bases 0..3, forward strand), ``gene`` (number among these genes
    in the order of the annotation), ``codon_position`` (0..2), ``change`` (4 x reference + alternative on the coding
    strand), ``consequence`` (place in `CONSEQUENCES`).

    Parameters
    ----------
    genome : dnalm.io.fasta.Genome
    features : table of the genome contract
    blocks : table with contig, start, end
    """
    cds = genome_cds(genome, features)
    covered = _covered(genome, cds)
    genes = whole_genes(cds)
    genes = genes[place_in(genes, blocks)[1]].assign(score=0.0)
    frames = CodonFrames.of(genome, genes)
    amino = _amino_acids(genome, genes)
    kept = ~frames.edge & (frames.codons >= 0)
    kept[kept] = amino[frames.call[kept], frames.codons[kept]] != ord("*")
    codon, gene, middle = frames.codons[kept], frames.call[kept], frames.middle[kept]
    plus = (genes["strand"] == "+").to_numpy()[gene]
    begins, size = _contig_of(genome, middle)
    parts = []
    for place in range(3):
        position = begins + (middle - begins + np.where(plus, place - 1, 1 - place)) % size
        rows = _changes_of(place, codon, plus, amino, gene)
        alone = covered[position] == 1
        parts += [{k: v[alone] for k, v in {"position": position, "gene": gene, **row}.items()} for row in rows]
    table = {name: np.concatenate([part[name] for part in parts]).astype(kind) for name, kind in COLUMNS.items()}
    order = np.lexsort((table["alt"], table["position"]))
    log.info("%d substitutions in %d genes", len(order), len(genes))
    return pd.DataFrame({name: column[order] for name, column in table.items()})


def _changes_of(place: int, codon: np.ndarray, plus: np.ndarray, amino: np.ndarray, gene: np.ndarray):
    """Columns for each of the three other bases at one position of codons (m,); ``amino`` (genes, 64) letters."""
    unit = 4 ** (2 - place)
    before, same = codon // unit % 4, amino[gene, codon]
    for step in (1, 2, 3):
        after = (before + step) % 4
        changed = amino[gene, codon + (after - before) * unit]
        yield {
            "ref": np.where(plus, before, 3 - before), "alt": np.where(plus, after, 3 - after),
            "codon_position": np.full(len(codon), place), "change": 4 * before + after,
            "consequence": np.where(changed == ord("*"), STOP_GAINED, changed != same),
        }  # fmt: skip


def _covered(genome, cds: pd.DataFrame) -> np.ndarray:
    """How many coding sequences, odd ones too, lie over each base, from their first to their last base."""
    covered = np.zeros(len(genome.codes), dtype=np.int16)
    for c in cds.itertuples(index=False):
        covered[genome.offset(c.contig) + np.arange(c.start, c.end) % genome.length(c.contig)] += 1
    return covered


def _amino_acids(genome, genes: pd.DataFrame) -> np.ndarray:
    """Amino acids of the 64 codons in the genetic code of each gene's contig, as letters, uint8 (genes, 64)."""
    codes = genes["contig"].map(genome.contigs.set_index("contig")["genetic_code"])
    letters = {code: np.frombuffer(genetic_code(int(code))[0].encode(), dtype=np.uint8) for code in codes.unique()}
    return np.array([letters[code] for code in codes]).reshape(-1, 64)


def _contig_of(genome, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First global position and length of the contig that each position is on."""
    offsets, lengths = (genome.contigs[name].to_numpy() for name in ("offset", "length"))
    row = np.searchsorted(offsets, position, side="right") - 1
    return offsets[row], lengths[row]


def strata(table: pd.DataFrame) -> dict[str, tuple]:
    """What is compared: name to (rows, which of them are positive, groups or None).

    ``missense_matched`` compares substitutions of one codon position, reference and alternative on the coding strand
    alone; the mean over these classes is weighted by their pairs of a missense and a synonymous substitution.
    """
    what = table["consequence"].to_numpy()
    group = (16 * table["codon_position"].astype(np.int64) + table["change"]).to_numpy()
    missense, stop = np.flatnonzero(what != STOP_GAINED), np.flatnonzero(what != MISSENSE)
    return {
        "stop_gained": (stop, what[stop] == STOP_GAINED, None),
        "missense": (missense, what[missense] == MISSENSE, None),
        "missense_matched": (missense, what[missense] == MISSENSE, group[missense]),
    }


def evaluate_saturation(genome, features, splits, scores, settings: dict, seed: int, common: dict, frameshifts=None):
    """Rows of metrics and of comparisons with the first method, for validation and test blocks of every dataset.

    Parameters
    ----------
    genome, features, splits
        Of the genome and splits contracts.
    scores : callable
        Takes a table of `saturation` and gives {method: float (rows,)}, higher for worse.
    settings : dict
        ``unit`` bases of a bootstrap unit, ``bootstrap`` draws, ``splits`` that are judged.
    common : dict
        study and splits_sha256 of the metrics contract.
    frameshifts : callable, optional
        Takes the same table and gives deletions inside of its genes and what they are compared with, scored in one way:
        {stratum: {method: (position (m,), score (m,), bool (m,) whether the frame shifts)}}.
    """
    metrics, comparisons = [], []
    for dataset, mine in datasets(genome, splits):
        for split in settings["splits"]:
            blocks = blocks_of(mine, genome, split)
            if blocks.empty:
                continue
            table = saturation(genome, features, blocks)
            units = units_of(split_intervals(genome, mine, split), settings["unit"])
            where = {"stage": "variants", **common, "dataset": dataset, "split": split}
            found, weights = scores(table), draws_of(len(units), settings["bootstrap"], seed)
            statistics = _statistics(table, found, units)
            if frameshifts is not None:
                statistics |= {name: _frameshift(shifts, units) for name, shifts in frameshifts(table).items()}
            rows = _rows(statistics, weights, where, seed, settings["unit"])
            profile = _profile(table, found, units, weights)
            metrics += rows[0] + [{**where, **row, "seed": seed} for row in profile]
            comparisons += rows[1]
    return metrics, comparisons


def _profile(table: pd.DataFrame, scores: dict, units: np.ndarray, weights: np.ndarray) -> list[dict]:
    """Mean log-likelihood ratio of all substitutions at each position of a codon, of the methods that are ratios."""
    unit, rows = unit_at(table["position"].to_numpy(), units), []
    for place, method in itertools.product(range(3), [method for method in RATIOS if method in scores]):
        value = -scores[method]
        use = (table["codon_position"].to_numpy() == place) & ~np.isnan(value)
        sums = [np.bincount(unit[use], weights=w, minlength=len(units)) for w in (value[use], np.ones(use.sum()))]
        mean, low, high = bootstrap(ratio, np.stack(sums, axis=1), weights)
        row = {"stratum": f"codon_position_{place + 1}", "method": method, "metric": "mean_ratio"}
        rows.append({**row, "value": mean, "ci_low": low, "ci_high": high, "n": int(use.sum())})
    return rows


def _statistics(table: pd.DataFrame, scores: dict, units: np.ndarray) -> dict:
    """{stratum: {method: (statistic, number of substitutions)}}."""
    unit = unit_at(table["position"].to_numpy(), units)
    return {
        name: {
            method: (Auroc(score[rows], positive, unit[rows], len(units), group), len(rows))
            for method, score in scores.items()
        }
        for name, (rows, positive, group) in strata(table).items()
    }


def _frameshift(shifts: dict, units: np.ndarray) -> dict:
    """The same for deletions that shift the frame, of methods that score both sides."""
    return {
        method: (Auroc(score, shifted, unit_at(place, units), len(units)), len(score))
        for method, (place, score, shifted) in shifts.items()
    }


def unit_at(position: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Number of the unit (n, 2) that each global position lies in; all positions must lie in one."""
    slot = np.searchsorted(units[:, 0], position, side="right") - 1
    if len(position) and not ((slot >= 0) & (position < units[slot, 1])).all():
        raise ValueError("a position lies in no unit")
    return slot


def _rows(statistics: dict, weights: np.ndarray, where: dict, seed, unit: int) -> tuple[list, list]:
    """Rows of metrics of every stratum and method, and of comparisons with the first method."""
    metrics, comparisons = [], []
    for stratum, methods in statistics.items():
        first = next(iter(methods), None)
        for method, (statistic, n) in methods.items():
            value, low, high = interval(statistic, weights)
            row = {"method": method, "metric": "auroc", "value": value, "ci_low": low, "ci_high": high}
            metrics.append({**where, "stratum": stratum, **row, "n": n, "seed": seed})
            if method != first:
                value, low, high = difference(methods[first][0], statistic, weights)
                pair = {"metric": "auroc", "method_a": first, "method_b": method, "difference": value}
                row = {**where, "stratum": stratum, **pair, "ci_low": low, "ci_high": high, "n": n}
                row.pop("splits_sha256", None)
                comparisons.append({**row, "unit": f"{unit} bp"})
    return metrics, comparisons
