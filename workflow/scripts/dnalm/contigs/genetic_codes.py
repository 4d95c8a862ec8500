"""The genetic code of every contig; that of an organelle is never taken from the nucleus."""

import json
import logging
from collections import Counter, defaultdict

import pandas as pd

from dnalm.contigs.roles import MITOCHONDRION, PLASTID, ContigRole
from dnalm.contigs.unsaid_codes import UnsaidCodes
from dnalm.sequence.genetic_code import genetic_code

log = logging.getLogger(__name__)

#: Bacteria, archaea, their phages.
PROKARYOTIC_CODE = 11
PLASTID_CODE = 11
#: Moulds, protozoa, most fungi; also the reading of the fewest stops, so that no gene is cut by mistake.
MITOCHONDRIAL_CODE = 4
#: Plants read mitochondrial genes with the standard code; a genome with a plastid is one of theirs.
PLANT_MITOCHONDRION = 1


def stated_codes(features: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Code that most coding sequences of a contig name, and how many coding sequences there are, by contig.

    A contig on which most name none is not in it.
    """
    cds = features.loc[features["type"] == "CDS", ["contig", "id", "attributes"]].drop_duplicates(["contig", "id"])
    counts: dict[str, Counter] = defaultdict(Counter)
    for contig, attributes in zip(cds["contig"], cds["attributes"], strict=True):
        named = json.loads(attributes).get("transl_table") if "transl_table" in attributes else None
        counts[contig][named] += 1
    commonest = {contig: found.most_common(1)[0] for contig, found in counts.items()}
    return {contig: (int(code), counts[contig].total()) for contig, (code, _) in commonest.items() if code}


def contig_codes(roles: dict[str, ContigRole], features: pd.DataFrame, source: dict, unsaid=None):
    """Genetic code of the genome, and of every contig.

    The genome's is ``genetic_code`` of the config, else what most coding sequences outside of organelles name, else
    that of ``unsaid``, else 11, with a warning where there are such coding sequences. An organelle's is
    ``organelle_genetic_code`` (a number, or one for each kind), else what its own coding sequences name, else 11 for
    plastids, and for mitochondria that of ``unsaid``, else, with a warning, 1 in genomes with a plastid and 4 in
    others. Where all contigs are organelles, ``genetic_code`` is meant for them.

    Parameters
    ----------
    roles : dict
        Role of every contig.
    source : dict
        The genome's config.
    unsaid : UnsaidCodes, optional
        Codes that hold where no coding sequence names one.

    Returns
    -------
    (int, dict)
        The code of the genome, {contig: code}.
    """
    stated, given, unsaid = stated_codes(features), source.get("genetic_code"), unsaid or UnsaidCodes()
    organelles = {contig for contig, role in roles.items() if role.organelle}
    alone = len(organelles) == len(roles)
    code = given or _genomes_code(stated, features, set() if alone else organelles, unsaid, quiet=alone)
    own = source.get("organelle_genetic_code")
    default = {PLASTID: PLASTID_CODE, MITOCHONDRION: unsaid.mitochondrion or _mitochondrial_guess(roles)}
    table, guessed = {}, defaultdict(list)
    for contig, role in roles.items():
        said = stated.get(contig, (None, 0))[0]
        if not role.organelle or (alone and given):
            table[contig] = given or said or code
            continue
        chosen = own.get(role.organelle) if isinstance(own, dict) else own
        table[contig] = chosen or said or default[role.organelle]
        if not (chosen or said):
            guessed[role.organelle, table[contig]].append(contig)
    if alone and not given:
        code = table[max(table, key=lambda contig: stated.get(contig, (0, 0))[1])]
    for number in {code, *table.values()}:
        genetic_code(number)
    _tell(guessed, table, code, unsaid)
    return code, table


def _genomes_code(stated, features: pd.DataFrame, organelles: set[str], unsaid: UnsaidCodes, quiet: bool) -> int:
    """What most coding sequences outside of organelles name, else what is known without them; told unless quiet."""
    cds = features.loc[features["type"] == "CDS", ["contig", "id"]].drop_duplicates()
    total = Counter(cds.loc[~cds["contig"].isin(organelles), "contig"])
    votes: Counter = Counter()
    for contig, count in total.items():
        votes[stated.get(contig, (None, 0))[0]] += count
    if votes and (named := votes.most_common(1)[0][0]):
        return named
    code = unsaid.genome or PROKARYOTIC_CODE
    if not quiet:
        tell = log.warning if votes and not unsaid.genome else log.info
        tell(
            "%s, %d is taken (%s); `genetic_code` sets it (1 for nuclear genomes and their viruses, 11 for bacteria, "
            "archaea and phages, 4 for mycoplasmas)",
            "most coding sequences name no genetic code (transl_table)" if votes else "nothing says the genetic code",
            code, unsaid.by if unsaid.genome else "as for bacteria",
        )  # fmt: skip
    return code


def _mitochondrial_guess(roles: dict[str, ContigRole]) -> int:
    plant = any(role.organelle == PLASTID for role in roles.values())
    return PLANT_MITOCHONDRION if plant else MITOCHONDRIAL_CODE


def _tell(guessed: dict, table: dict[str, int], code: int, unsaid: UnsaidCodes) -> None:
    for (organelle, number), contigs in guessed.items():
        tell = log.warning if organelle == MITOCHONDRION and not unsaid.mitochondrion else log.info
        tell(
            "%s: nothing says the genetic code of this %s, %d is taken; `organelle_genetic_code` sets it "
            "(mitochondria: 2 vertebrates, 3 yeast, 5 most invertebrates, 1 plants, 4 most fungi and protozoa)",
            ", ".join(contigs[:5]), organelle, number,
        )  # fmt: skip
    if others := {contig: number for contig, number in table.items() if number != code}:
        shown = ", ".join(f"{contig} {number}" for contig, number in list(others.items())[:10])
        log.info("genetic code %d; %d contigs have another: %s", code, len(others), shown)
