"""A sample with planted changes as a folder: a genome directory, what was planted, and where the model was trained."""

from pathlib import Path

import numpy as np

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.tables import atomic_path, write_json, write_parquet
from dnalm.sequence.splits import training_intervals
from dnalm.variants.places import in_contigs, place_in_contigs
from dnalm.variants.planted import plant


def plant_sample(genome: Genome, whole: Genome, splits, final: bool, settings: dict, seed: int, real, folder) -> None:
    """Write ``genome`` with planted changes to ``folder``.

    In ``planted.parquet``, ``position`` counts from 0 in its contig of the sample, and ``original`` in that of
    ``genome``.

    Parameters
    ----------
    whole : Genome
        That of the study; ``genome`` may be one of its genomes, or another.
    settings : dict
        Of `dnalm.config_samples.Plant`.
    real : DataFrame or None
        Differences of `dnalm.variants.observed` on ``genome``; those that count are planted too.
    """
    read = np.zeros(len(genome.codes), dtype=bool)
    if genome.name in whole.names:
        first, end = whole.span(genome.name)
        for a, b in training_intervals(whole, splits, final):
            read[max(a - first, 0) : max(min(b, end) - first, 0)] = True
    if real is not None:
        real = real.loc[real["reason"] == "", ["position", "alt"]]
    before, start = genome.contigs, 0
    if settings["region"]:
        genome, start = _slice(genome, settings["region"])
        read = read[start : start + len(genome.codes)]
        if real is not None:
            real = real[real["position"].between(start, start + len(genome.codes) - 1)]
            real = real.assign(position=real["position"] - start)
    done, folder = plant(genome, settings["per_mb"], seed, read, real), Path(folder)
    with atomic_path(folder / "codes.npy") as temporary:
        np.save(temporary, done.genome.codes)
    with atomic_path(folder / "read.npy") as temporary:
        np.save(temporary, done.read)
    write_parquet(done.genome.contigs, folder / "contigs.parquet")
    original = place_in_contigs(before, done.table["original"] + start)[1]
    table = in_contigs(done.table, done.genome.contigs).assign(original=original)
    write_parquet(table, folder / "planted.parquet")
    write_json({"name": genome.name, "digest": done.genome.digest}, folder / "genome.json")


def _slice(genome: Genome, region: dict) -> tuple[Genome, int]:
    """A stretch of a genome as a genome, and its first global position."""
    contig = region["contig"] or genome.contigs["contig"].iat[0]
    start, end, length = region["start"], region["end"], genome.length(contig)
    if not start < end <= length:
        where = f"{contig}:{start + 1}-{end}"
        raise InputError("plant.region is off the contig", where, f"It has {length} bases")
    first = genome.offset(contig) + start
    row = genome.contigs[genome.contigs["contig"] == contig]
    contigs = row.assign(length=end - start, offset=0, circular=False).reset_index(drop=True)
    return Genome(genome.name, genome.codes[first : first + end - start], contigs, f"{genome.digest}:{first}"), first
