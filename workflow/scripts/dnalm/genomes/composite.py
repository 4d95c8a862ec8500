"""The genomes of a study as one genome, so that everything after it reads a single one.

The directory that `merge_genomes` writes holds what the stages of a study read of a genome's directory: codes,
contigs, features and a short card. Outputs of one genome lie in ``.../<genome>/<kind>/<method>.*`` and speak of its own
contigs and positions; `read_calls` and `read_probabilities` bring them together again.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.fasta import Genome, contig_name, load_genome
from dnalm.io.tables import atomic_folder, read_scores, write_json, write_parquet


def merge_genomes(name: str, folders, folder) -> dict:
    """Write the genomes in ``folders`` (genome directories) end to end as the genome ``name``; returns its card.

    Codes go from memory map to memory map, so that the memory needed does not grow with the genomes. Contigs are called
    ``genome:contig`` and keep their circularity and genetic code; ids of features begin with the genome's name too.

    Raises
    ------
    InputError
        If two genomes have the same name, or one that of the whole.
    """
    genomes = [load_genome(path) for path in folders]
    names = [genome.name for genome in genomes]
    if len({*names, name}) <= len(names):
        raise InputError(f"names that are not all different: {', '.join([name, *names])}", "genomes", "Rename them")
    with atomic_folder(folder) as draft:
        contigs = _merge_codes(genomes, draft / "codes.npy")
        write_parquet(contigs, draft / "contigs.parquet")
        features = [_own_features(g.name, path) for g, path in zip(genomes, folders, strict=True)]
        write_parquet(pd.concat(features, ignore_index=True), draft / "features.parquet")
        digest = hashlib.sha256("".join(f"{g.name}\0{g.digest}\0" for g in genomes).encode()).hexdigest()
        cards = {g.name: {"digest": g.digest, "bases": len(g.codes), "contigs": len(g.contigs)} for g in genomes}
        card = {"name": name, "digest": digest, "bases": int(contigs["length"].sum()), "genomes": cards}
        write_json(card, draft / "genome.json")
    return card


def _merge_codes(genomes: list[Genome], path: Path) -> pd.DataFrame:
    """Codes of all genomes in one file; returns the table of all contigs."""
    out = np.lib.format.open_memmap(path, "w+", np.uint8, (sum(len(g.codes) for g in genomes),))
    tables, offset = [], 0
    for genome in genomes:
        out[offset : offset + len(genome.codes)] = genome.codes
        table = genome.contigs.assign(genome=genome.name, offset=genome.contigs["offset"] + offset)
        tables.append(table.assign(contig=contig_name(genome.name, table["contig"])))
        offset += len(genome.codes)
    out.flush()
    return pd.concat(tables, ignore_index=True)


def _own_features(genome: str, folder) -> pd.DataFrame:
    """The features of a genome, with contigs and ids as they are called among several genomes."""
    table = pd.read_parquet(Path(folder) / "features.parquet")
    parents = [",".join(f"{genome}:{one}" for one in parent.split(",") if one) for parent in table["parent"]]
    parents = pd.Series(parents, index=table.index, dtype=object)  # of text even where there is none
    return table.assign(contig=contig_name(genome, table["contig"]), id=f"{genome}:" + table["id"], parent=parents)


def by_genome(paths) -> dict[str, str]:
    """Paths ``.../<genome>/<kind>/<file>`` by genome."""
    return {Path(path).parents[1].name: path for path in paths}


def read_calls(genome: Genome, paths) -> dict[str, pd.DataFrame]:
    """Gene calls of every method, in the contigs of ``genome``, from ``.../<genome>/finders/<method>.parquet``."""
    found: dict[str, list] = {}
    for path in map(Path, paths):
        calls = pd.read_parquet(path).assign(genome=path.parents[1].name)
        found.setdefault(path.stem, []).append(genome.rows(calls).drop(columns="genome"))
    return {
        method: pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
        for method, tables in found.items()
    }


def read_probabilities(genome: Genome, paths) -> dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Score files of every method, as `read_scores` gives them, in the positions of ``genome``.

    The files are ``.../<genome>/probabilities/<method>.npz``, in the positions of each genome by itself.
    """
    found: dict[str, list] = {}
    for path in map(Path, paths):
        intervals, columns = read_scores(path)
        found.setdefault(path.stem, []).append((intervals + genome.span(path.parents[1].name)[0], columns))
    return {method: _joined(parts) for method, parts in found.items()}


def _joined(parts: list) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    names = parts[0][1]
    columns = {name: np.concatenate([columns[name] for _, columns in parts]) for name in names}
    return np.concatenate([intervals for intervals, _ in parts]), columns
