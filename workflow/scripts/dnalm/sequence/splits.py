"""Division of genomes into training, validation and test blocks, from a seed, with gaps between them."""

import collections
import hashlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import InputError

SPLITS = ("train", "validation", "test", "gap")
COLUMNS = ["genome", "contig", "start", "end", "split", "reason"]


def make_splits(genomes, settings: dict, seed: int, groups: dict | None = None, fixed: dict | None = None):
    """Rows (genome, contig, start, end, split, reason) that tile every contig exactly.

    Units are blocks of ``settings["block"]`` bases (the last of a contig takes the remainder) or whole contigs. They
    are shuffled by ``seed``; the first ones become test until the test share of all bases is met best, then validation.
    With ``by: position`` nothing is shuffled: each genome's contigs, end to end, are cut into training, validation and
    test in this order. Where neighbouring blocks differ, ``gap`` bases are taken from the training block, or from both
    ends if neither is training; on circular contigs the first and the last block are neighbours.

    With ``by: genome`` the units are groups of whole genomes (``groups``: genome to group, by default each its own).
    Those in ``fixed`` (group to split) are settled and count towards the shares. Test and validation get a group each
    whatever its size, the smallest if all are too large, and one is left for training.

    With ``by: contig``, ``test_contigs`` or ``validation_contigs`` name those of a split, and chance gives it no more.
    """
    if settings["by"] == "genome":
        rows = _by_genome(genomes, settings, seed, groups or {}, fixed or {})
        return pd.DataFrame(rows, columns=COLUMNS)
    if settings["by"] == "position":
        rows = [row for genome in genomes for row in _by_position(genome, settings)]
        bases = sum(int(genome.contigs["length"].sum()) for genome in genomes)
        _require_all({row[4] for row in rows}, f"{bases} bases")
        return pd.DataFrame(rows, columns=COLUMNS)
    units = [unit for genome in genomes for unit in _units(genome, settings)]
    size = np.array([end - start for _, _, start, end in units])
    order = np.random.default_rng([seed, 101]).permutation(len(units))
    labels = _named(genomes, units, settings)
    order = order[labels[order] == 0]
    for label, name in ((2, "test"), (1, "validation")):
        if not (labels == label).any():
            order = _take(order, size, size.sum() * settings[name], labels, label)
    _require_all({SPLITS[i] for i in labels}, f"{len(units)} {settings['by']}s")
    rows, blocks = [], collections.defaultdict(list)
    for (*contig, start, end), label in zip(units, labels.tolist(), strict=True):
        blocks[tuple(contig)].append([start, end, label])
    for genome in genomes:
        for c in genome.contigs.itertuples(index=False):
            rows += _with_gaps(genome.name, c, blocks[genome.name, c.contig], settings["gap"])
    return pd.DataFrame(rows, columns=COLUMNS)


def _named(genomes, units, settings) -> np.ndarray:
    """Labels of the units whose contigs the settings name, 0 for the others."""
    several, labels = len(genomes) > 1, np.zeros(len(units), dtype=np.int64)
    contigs = [f"{genome}:{contig}" if several else contig for genome, contig, *_ in units]
    for label, key in ((2, "test_contigs"), (1, "validation_contigs")):
        names = settings.get(key, ())
        if unknown := sorted(set(names) - set(contigs)):
            known = ", ".join(contigs[:5])
            raise InputError(f"no contig {', '.join(unknown)}", f"splits: {key}", f"Known: {known}")
        labels[[contig in names for contig in contigs]] = label
    return labels


def _require_all(found: set[str], what: str) -> None:
    missing = [split for split in SPLITS[:3] if split not in found]
    if missing:
        raise InputError(
            f"{what} are too few: nothing is left for {' and '.join(missing)}",
            "splits",
            "Use smaller blocks or other shares",
        )


def _by_position(genome, settings):
    """Rows of one genome, cut at two places of its contigs end to end."""
    total = int(genome.contigs["length"].sum())
    test = round(total * (1 - settings["test"]))
    cuts = [0, round(total * (1 - settings["test"] - settings["validation"])), test, total]
    rows = []
    for c in genome.contigs.itertuples(index=False):
        spans = [(max(a - c.offset, 0), min(b - c.offset, c.length)) for a, b in itertools.pairwise(cuts)]
        blocks = [[start, end, label] for label, (start, end) in enumerate(spans) if end > start]
        rows += _with_gaps(genome.name, c, blocks, settings["gap"])
    return rows


def _by_genome(genomes, settings, seed, groups, fixed):
    """Rows of whole contigs; the genomes of a group share one split."""
    group = {genome.name: groups.get(genome.name, genome.name) for genome in genomes}
    names = list(dict.fromkeys(group.values()))
    size = np.zeros(len(names), dtype=np.int64)
    for genome in genomes:
        size[names.index(group[genome.name])] += genome.contigs["length"].sum()
    labels = np.array([SPLITS.index(fixed.get(name, "train")) for name in names])
    given = {SPLITS.index(split) for name, split in fixed.items() if name in names}
    order = np.random.default_rng([seed, 101]).permutation(len(names))
    free = order[[names[i] not in fixed for i in order]]
    for label, others in ((2, {0, 1}), (1, {0})):
        goal = size.sum() * settings[SPLITS[label]] - size[labels == label].sum()
        most = len(free) - len(others - given)  # those need a group too
        rest = _take(free, size, goal, labels, label, most)
        if len(rest) == len(free) and label not in given and most > 0:
            labels[free[size[free].argmin()]] = label
            rest = free[labels[free] != label]
        free = rest
    _require_all({SPLITS[i] for i in labels}, f"{len(names)} groups of genomes")
    split = dict(zip(names, labels, strict=True))
    return [
        [genome.name, c.contig, 0, c.length, SPLITS[split[group[genome.name]]], "genome"]
        for genome in genomes
        for c in genome.contigs.itertuples(index=False)
    ]


def _units(genome, settings):
    for c in genome.contigs.itertuples(index=False):
        if settings["by"] == "contig":
            yield genome.name, c.contig, 0, c.length
            continue
        count = max(1, round(c.length / settings["block"]))
        edges = [i * settings["block"] for i in range(count)] + [c.length]
        yield from ((genome.name, c.contig, a, b) for a, b in itertools.pairwise(edges))


def _take(order, size, goal, labels, label, most=None):
    """Label units in ``order``, ``most`` or fewer, until ``goal`` bases are met best; returns the rest."""
    total, rest = 0, []
    for place, unit in enumerate(order):
        full = most is not None and place - len(rest) >= most
        if not full and abs(total + size[unit] - goal) < abs(total - goal):
            labels[unit] = label
            total += size[unit]
        else:
            rest.append(unit)
    return np.array(rest, dtype=np.int64)


def _with_gaps(genome, contig, blocks, gap):
    """Rows of one contig, neighbouring blocks of one split merged, gaps cut out where they differ."""
    cuts = collections.defaultdict(list)
    for i, (_, end, label) in enumerate(blocks):
        after = i + 1 if i + 1 < len(blocks) else (0 if contig.circular else None)
        if after is None or blocks[after][2] == label:
            continue
        left = gap if label == 0 else 0 if blocks[after][2] == 0 else gap // 2
        cuts[i].append((end - left, end))
        cuts[after].append((blocks[after][0], blocks[after][0] + gap - left))
    rows = []
    for i, (start, end, label) in enumerate(blocks):
        for a, b in sorted((a, b) for a, b in cuts[i] if b > a):
            a, b = max(a, start), min(b, end)  # in a short block the gaps of both ends may overlap, or be longer
            if b <= a:
                continue
            if a > start:
                rows.append([genome, contig.contig, start, a, SPLITS[label], "block"])
            rows.append([genome, contig.contig, a, b, "gap", "between splits"])
            start = b
        if end > start:
            rows.append([genome, contig.contig, start, end, SPLITS[label], "block"])
    return _merge(rows)


def _merge(rows):
    merged = []
    for row in rows:
        if merged and merged[-1][4:] == row[4:] and merged[-1][3] == row[2]:
            merged[-1][3] = row[3]
        else:
            merged.append(row)
    return merged


def read_splits(path) -> pd.DataFrame:
    """The table that `make_splits` made."""
    return pd.read_csv(path, sep="\t", dtype={"genome": str, "contig": str}, keep_default_na=False)


def splits_digest(path) -> str:
    """SHA-256 of a splits file, as it stands in every metrics row."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def split_intervals(genome, splits: pd.DataFrame, split: str) -> np.ndarray:
    """Global intervals (n, 2) of one split of a genome, sorted; neighbours on one contig merged."""
    rows = genome.rows(splits[splits["split"] == split])
    offsets = rows["contig"].map(genome.contigs.set_index("contig")["offset"]).to_numpy()
    spans = np.stack([rows["start"].to_numpy() + offsets, rows["end"].to_numpy() + offsets], axis=1)
    return spans[np.argsort(spans[:, 0])].astype(np.int64).reshape(-1, 2)


def final_intervals(genome, splits: pd.DataFrame) -> np.ndarray:
    """Global intervals (n, 2) of training and validation blocks and of the gaps between them: all but what tests."""
    splits = splits[splits["genome"].isin(genome.names)].reset_index(drop=True)
    number, known = pd.factorize(genome.rows(splits)["contig"])
    order = np.argsort(number, kind="stable")
    own, at, split = number[order], np.arange(len(order)), splits["split"].to_numpy(dtype=object)[order]
    kept, between = np.isin(split, ["train", "validation"]), split == "gap"
    first, last = np.searchsorted(own, own), np.searchsorted(own, own, side="right") - 1
    closed = genome.contigs.set_index("contig")["circular"].reindex(known).to_numpy(dtype=bool)[own]
    before = np.where(at > first, at - 1, np.where(closed, last, -1))
    after = np.where(at < last, at + 1, np.where(closed, first, -1))
    # gaps taken from both sides of a border stand side by side and both stay out
    for near in (before, after):
        between &= (near < 0) | kept[near]
    final = splits.iloc[order[kept | between]].assign(split="train")
    return _joined(split_intervals(genome, final, "train"), genome.contigs["offset"].to_numpy())


def training_intervals(genome, splits: pd.DataFrame, final: bool) -> np.ndarray:
    """Global intervals (n, 2) that a language model is trained on; ``final`` takes validation blocks in."""
    return final_intervals(genome, splits) if final else split_intervals(genome, splits, "train")


def _joined(spans: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Touching intervals as one, unless a contig begins between them."""
    alone = np.append(True, spans[1:, 0] != spans[:-1, 1])[: len(spans)] | np.isin(spans[:, 0], borders)
    first = np.flatnonzero(alone)
    return np.stack([spans[first, 0], spans[np.append(first[1:], len(spans))[: len(first)] - 1, 1]], axis=1)


def split_labels(genome, splits: pd.DataFrame, final: bool = False) -> np.ndarray:
    """Number of the split (index into `SPLITS`) of every global position, int8.

    With ``final`` all that the final training reads (`final_intervals`) is of the training part.
    """
    labels = np.full(len(genome.codes), SPLITS.index("gap"), dtype=np.int8)
    for number, split in enumerate(SPLITS):
        for start, end in split_intervals(genome, splits, split):
            labels[start:end] = number
    for start, end in final_intervals(genome, splits) if final else ():
        labels[start:end] = SPLITS.index("train")
    return labels


def blocks_of(splits: pd.DataFrame, genome, split: str) -> pd.DataFrame:
    """Blocks of one split of a genome: contig, start, end."""
    return genome.rows(splits[splits["split"] == split])[["contig", "start", "end"]].reset_index(drop=True)


def place_in(table: pd.DataFrame, blocks: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(overlaps a block, lies wholly inside one) for every row; bool of shape (rows,) each.

    Contigs are laid end to end and rows looked up among the sorted blocks, because there may be many of both.
    """
    if table.empty or blocks.empty:
        return tuple(np.zeros((2, len(table)), dtype=bool))
    number = {name: i for i, name in enumerate(dict.fromkeys(blocks["contig"]))}
    size = 1 + int(max(table["end"].max(), blocks["end"].max()))
    offset = blocks["contig"].map(number).to_numpy(np.int64) * size
    starts, ends = offset + blocks["start"].to_numpy(), offset + blocks["end"].to_numpy()
    order = np.argsort(starts, kind="stable")
    starts, furthest = starts[order], np.concatenate([[-1], np.maximum.accumulate(ends[order])])
    known = table["contig"].isin(number).to_numpy()
    offset = table["contig"].map(number).fillna(0).to_numpy(np.int64) * size
    first, last = offset + table["start"].to_numpy(), offset + table["end"].to_numpy()
    overlaps = furthest[np.searchsorted(starts, last, side="left")] > first
    inside = furthest[np.searchsorted(starts, first, side="right")] >= last
    return known & overlaps, known & inside
