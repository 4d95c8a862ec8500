"""What is held out together of variants with labels: values of a column, genes, exons, blocks.

The alleles of one base share its conservation and mostly its fate. So genes and blocks that share bases with a variant
become one group: the gene of an allele is that of its worst consequence, and in genes that overlap the alleles of one
base would lie in several groups.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from dnalm.errors import InputError
from dnalm.variants.described import nearest_exons

#: What stands between the names of genes that are one group, and what lies in no gene.
JOINED, NO_GENE = " + ", "intergenic"


def group_names(table: pd.DataFrame, groups: dict, coding=None) -> np.ndarray:
    """The group (n,) of each variant: a column, its gene, the nearest exon, or a block of codons or bases."""
    if groups["by"] == "column":
        return table[groups["column"]].to_numpy(object)
    if groups["by"] == "exon":
        if coding is None or not len(coding.table):
            raise InputError(
                "the genome has no annotation", "groups: by: exon", "Give one, or group by column or block"
            )
        return nearest_exons(table, coding, groups["block"])
    gene, position = table["_gene"].replace("", NO_GENE).to_numpy(object), table["_position"].to_numpy(np.int64)
    if groups["by"] == "gene":
        return _united(gene, position, _genes_there(position, set(gene), coding))
    codon = (table["_residue"].to_numpy() - 1) // max(groups["block"] // 3, 1)
    inside = (table["_residue"].to_numpy() > 0) & (gene != NO_GENE)
    contig, base = table["_contig"].to_numpy(object), position // groups["block"]
    names = zip(inside, gene, codon, contig, base, strict=True)
    return _united(np.array([f"{g} {c}" if i else f"{n}:{b}" for i, g, c, n, b in names], dtype=object), position)


def _genes_there(position: np.ndarray, wanted: set, coding) -> list[tuple[str, int]]:
    """(gene, position) of all ``wanted`` genes that have a coding base or an exon of RNA where a variant is."""
    if coding is None or not len(coding.table):
        return []
    place, found = np.unique(position), []
    for gene, parts in zip(coding.table["gene"], coding.table["parts"], strict=True):
        for low, high in parts if gene in wanted else ():
            first, last = np.searchsorted(place, [low, high])
            found += [(gene, at) for at in place[first:last].tolist()]
    return found


def _united(name: np.ndarray, position: np.ndarray, more=()) -> np.ndarray:
    """Names (n,), one for all that share positions (n,), directly or by way of others; ``more`` such pairs.

    What lies in no gene joins nothing, and takes the name of a gene at its position.
    """
    inside = name != NO_GENE
    names, own = np.unique([*name[inside].astype(str), *(n for n, _ in more)], return_inverse=True)
    places = np.concatenate([position[inside], np.array([at for _, at in more], dtype=np.int64)])
    place, where = np.unique(places, return_inverse=True)
    size = len(names) + len(place)
    edges = coo_matrix((np.ones(len(own)), (own, len(names) + where)), (size, size))
    which = connected_components(edges, directed=False)[1]
    joined = pd.Series(names, dtype=object).groupby(which[: len(names)]).agg(JOINED.join)
    group_of = dict(zip(place.tolist(), joined.reindex(which[len(names) :]), strict=True))
    return np.array([group_of.get(at, NO_GENE) for at in position.tolist()], dtype=object)


def unseen(kind: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Rows (n,) whose kind no other fold has."""
    folds = pd.Series(fold).groupby(kind).nunique()
    return pd.Series(kind).map(folds).to_numpy() < 2
