"""What an annotation leaves unsaid or says wrongly, put right or refused.

Tables are those of `dnalm.annotation.feature_columns.FeatureColumns`: what is the same for many rows is looked at once.
"""

import json
import logging

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.text_files import numbered_lines

log = logging.getLogger(__name__)
#: Tags of Ensembl and GENCODE for a coding sequence whose end was not found.
CUT = {"cds_start_NF", "cds_end_NF"}


def mark_pseudo(features: pd.DataFrame) -> pd.DataFrame:
    """The table with pseudogenes, and what lies directly below one, marked as pseudo."""
    kinds, parents = features["attributes"].cat, features["parent"].cat
    said = np.array([_is_pseudo(text) for text in kinds.categories], dtype=bool)
    own = features["id"][said[kinds.codes] | (features["type"] == "pseudogene").to_numpy()]
    pseudo = set(own)
    below = np.array([not pseudo.isdisjoint(text.split(",")) for text in parents.categories], dtype=bool)
    marked = below[parents.codes] | features["id"].isin(pseudo).to_numpy()
    if not marked.any():
        return features
    old, rows = np.unique(kinds.codes[marked], return_inverse=True)
    texts = [json.loads(text) | {"pseudo": "true"} for text in kinds.categories[old]]
    texts = pd.Index([json.dumps(keep, sort_keys=True) for keep in texts], dtype=kinds.categories.dtype)
    categories = kinds.categories.union(texts.unique(), sort=False)
    codes = kinds.codes.to_numpy(copy=True)
    codes[marked] = categories.get_indexer(texts)[rows]
    return features.assign(attributes=pd.Categorical.from_codes(codes, categories=categories))


def _is_pseudo(attributes: str) -> bool:
    if "pseudo" not in attributes:
        return False
    keep = json.loads(attributes)
    return keep.get("pseudo") == "true" or keep.get("gene_biotype") == "pseudogene"


def fill_phases(features: pd.DataFrame, path) -> pd.DataFrame:
    """Give coding parts without a phase (-1) the one that the parts before them leave; their number is logged.

    The first part in the direction of reading is taken to begin with a whole codon.
    """
    cds = features.loc[features["type"] == "CDS", ["contig", "id", "start", "end", "strand", "phase"]]
    cds = cds[cds["id"].isin(cds["id"][cds["phase"] < 0])]
    groups = cds.groupby(["contig", "id"], sort=False, observed=True)
    cds = cds[groups["phase"].transform("min") < 0]
    if cds.empty:
        return features
    backward = (groups["strand"].transform("first").reindex(cds.index) == "-").to_numpy()
    cds = cds.assign(group=groups.ngroup(), reading=np.where(backward, -cds["start"], cds["start"]))
    cds = cds.sort_values(["group", "reading"], kind="stable")
    phases, last, done = features["phase"].to_numpy(copy=True), None, 0
    columns = (cds[name].tolist() for name in ("group", "start", "end", "phase"))
    for row, (group, start, end, phase) in zip(cds.index, zip(*columns, strict=True), strict=True):
        done = done if group == last else 0
        phase = phase if phase >= 0 else -done % 3
        phases[row], last = phase, group
        done += end - start - (0 if done else phase)
    log.info(
        "%s: %d parts of %d coding sequences have no phase; it was counted", path, (cds["phase"] < 0).sum(),
        cds["group"].nunique(),
    )  # fmt: skip
    return features.assign(phase=phases)


def check_parents(features: pd.DataFrame, path) -> None:
    """Refuse features that are their own ancestors; count parents that are not in the file, as in a slice of one.

    Raises
    ------
    InputError
        With ``file:line`` of the first feature in such a circle.
    """
    named = {name for text in features["parent"].cat.categories for name in text.split(",") if name}
    rows = features.loc[features["id"].isin(named), ["id", "parent"]]
    inner = rows[rows["parent"] != ""]  # only what is above and below something can be in a circle
    above = {name: parent.split(",") for name, parent in zip(inner["id"], inner["parent"], strict=True)}
    done: set[str] = set()
    for name in above:
        trail: dict[str, None] = {}
        _climb(name, above, done, trail, path)
    if orphans := named - set(rows["id"]):
        shown = ", ".join(sorted(orphans)[:3])
        log.info("%s: %d parents are named and not there (%s)", path, len(orphans), shown)


def _climb(name: str, above: dict, done: set, trail: dict, path) -> None:
    """Follow parents upwards; what has been followed once is not again."""
    if name in trail:
        circle = [*list(trail)[list(trail).index(name) :], name]
        raise InputError(
            f"features that are their own ancestors: {' below '.join(circle[:5])}", f"{path}:{_line_of(path, name)}",
            "Correct the Parent of one of them",
        )  # fmt: skip
    if name in done or name not in above:
        return
    trail[name] = None
    for parent in above[name]:
        _climb(parent, above, done, trail, path)
    del trail[name]
    done.add(name)


def _line_of(path, name: str) -> int:
    """The first line with a feature of this ID."""
    wanted = f"ID={name}".encode()
    for number, line in numbered_lines(path):
        if wanted in line.rpartition(b"\t")[2].split(b";"):
            return number
    return 1
