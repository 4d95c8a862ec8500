"""Scores of substitutions without labels against their consequences, on the last part of a bacterial genome.

``python benchmarks/zero_shot_variants.py GENOME [--test 0.1] [--out FILE]`` prints the table and writes it as TSV.
GENOME is a GenBank file with annotation, which only judges: genes are found by self-training, the codon distance is
learned before the test part. Rows ``*_shuffled`` (codons of each gene in random order), ``*_shifted`` (frames one base
too late) and ``*_longest_orf`` (long reading frames in place of found genes: nothing but stop codons is known) are
controls. The rules are in `dnalm.evaluate.variants`.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.baselines.finders import longest_orfs
from dnalm.baselines.variants import codon_unseen, codon_usage, position_3
from dnalm.evaluate.variants import evaluate_saturation, saturation
from dnalm.genefinder.finder import find_genes
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import Genome, load_genome
from dnalm.io.fetch import resolve_source
from dnalm.io.tables import write_tsv
from dnalm.sequence.splits import blocks_of, final_intervals, make_splits
from dnalm.variants.codon_distance import CodonDistance
from dnalm.variants.codon_frames import CodonFrames, shifted

#: Shortest reading frames of the control without a gene finder, in bases.
LONG = 600
SETTINGS = {"unit": 5000, "bootstrap": 1000, "splits": ["test"]}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genome", type=Path, help="GenBank file with annotation")
    parser.add_argument("--test", type=float, default=0.1, help="share of the genome, its last part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/zero_shot_variants.tsv"))
    options = parser.parse_args()
    genome, features = read(options.genome)
    cut = {"by": "position", "test": options.test, "validation": options.test, "gap": 1000}
    splits = make_splits([genome], cut, options.seed)
    training = np.zeros(len(genome.codes), dtype=bool)
    for start, end in final_intervals(genome, splits):
        training[start:end] = True
    begin = time.process_time()
    calls = find_genes(genome, None)
    print(f"{len(calls)} genes found in {time.process_time() - begin:.0f} CPU seconds", flush=True)
    begin = time.process_time()
    scores = scorers(genome, calls, training, options.seed)
    print(f"learned in {time.process_time() - begin:.0f} CPU seconds")
    print(frame_shares(saturation(genome, features, blocks_of(splits, genome, "test")), CodonFrames.of(genome, calls)))
    common = {"study": "benchmark", "splits_sha256": ""}
    metrics, comparisons = evaluate_saturation(genome, features, splits, scores, SETTINGS, options.seed, common)
    table = pd.DataFrame(metrics).drop(columns=["study", "stage", "split", "metric", "seed", "splits_sha256"])
    print(table.to_string(index=False, float_format="%.3f"))
    shown = ["stratum", "method_a", "method_b", "difference", "ci_low", "ci_high"]
    print(pd.DataFrame(comparisons)[shown].to_string(index=False, float_format="%.3f"))
    write_tsv(table, options.out)


def read(path: Path) -> tuple[Genome, pd.DataFrame]:
    """A GenBank file as a genome, and its features."""
    with tempfile.TemporaryDirectory() as folder:
        source = {"path": str(path)}
        build_genome(path.name.split(".")[0], resolve_source(source), source, folder)
        genome = load_genome(folder)
        features = pd.read_parquet(Path(folder) / "features.parquet")
    return Genome(genome.name, np.asarray(genome.codes), genome.contigs, genome.digest), features


def scorers(genome: Genome, calls: pd.DataFrame, training: np.ndarray, seed: int):
    """Scores of all methods for a table of substitutions, as `evaluate_saturation` wants them."""
    sources = {"": calls, "_shifted": shifted(calls), "_longest_orf": longest_orfs(genome, LONG)}
    frames = {name: CodonFrames.of(genome, table) for name, table in sources.items()}
    learned = {name: CodonDistance.learn(genome, mine, training) for name, mine in frames.items()}
    shuffled = CodonDistance.learn(genome, frames[""], training, shuffle=seed)
    counts = learned[""].counts

    def scores(table: pd.DataFrame) -> dict[str, np.ndarray]:
        where = table["position"].to_numpy(), table["alt"].to_numpy()
        ours = {f"dnalm_frame{name}": learned[name].score_substitutions(frames[name], *where) for name in frames}
        ours["dnalm_frame_shuffled"] = shuffled.score_substitutions(frames[""], *where)
        rules = {"codon_unseen": codon_unseen, "position_3": position_3, "codon_usage": codon_usage}
        return ours | {name: rule(frames[""], counts, *where) for name, rule in rules.items()}

    return scores


def frame_shares(table: pd.DataFrame, frames: CodonFrames) -> str:
    """How often the frame of a tested base is right, wrong or unknown."""
    position = table["position"].to_numpy()
    reverse = table["ref"].to_numpy() != table["change"].to_numpy() // 4
    known = frames.place[position] >= 0
    right = (frames.place[position] == table["codon_position"]) & (frames.reverse[position] == reverse)
    return (
        f"frame right at {right.mean():.2%}, unknown at {(~known).mean():.2%}, wrong at {(known & ~right).mean():.2%}"
    )


if __name__ == "__main__":
    main()
