"""Genetic codes by what a genome is, for where its annotation names none.

GenBank, EMBL and NCBI's GFF3 leave ``transl_table`` out where it is 1, which is INSDC's default for it. Old records
leave it out everywhere: of bacteria, and of organelles, what an organism is says more.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Domains in which GenBank's lineages of prokaryotes begin; the second is that of old records.
PROKARYOTES = ("Bacteria", "Eubacteria", "Archaea")
#: Mitochondrial codes of taxa as GenBank's lineages name them; taxa in which it varies are not here.
LINEAGES = {
    "Vertebrata": 2, "Saccharomycetaceae": 3, "Arthropoda": 5, "Nematoda": 5, "Mollusca": 5, "Echinodermata": 9,
    "Ascidiacea": 13, "Embryophyta": 1,
}  # fmt: skip
#: The same for Ensembl's species, by genus; others of its own site are vertebrates.
GENERA = {"saccharomyces": 3, "drosophila": 5, "caenorhabditis": 5, "ciona": 13}
#: Words with which UCSC's names of flies, bees, beetles, sea hares, lancelets and nematodes begin.
INVERTEBRATES = (
    "dm dp dro[A-Z][a-z]{2} anoGam apiMel triCas aplCal braFlo ce cb cae[A-Z][a-z]{1,2} ascSuu bruMal burXyl haeCon "
    "hetBac loaLoa melHap melInc necAme oncVol panRed priPac strRat triSpi triSui"
)
#: The same for UCSC's assemblies; most others are of vertebrates.
UCSC = (
    (re.compile(r"sacCer\d+"), 3), (re.compile(r"(ci|cioSav)\d+"), 13), (re.compile(r"strPur\d+"), 9),
    (re.compile(f"({INVERTEBRATES.replace(' ', '|')})\\d+"), 5),
)  # fmt: skip
VERTEBRATE = 2


@dataclass(frozen=True)
class UnsaidCodes:
    """Code of a genome and of its mitochondrion where nothing names one, None if unknown; ``by`` says what knows."""

    genome: int | None = None
    mitochondrion: int | None = None
    by: str = ""


def unsaid_codes(source: dict, lineages: Iterable[str] = (), insdc: bool = False) -> UnsaidCodes:
    """What source and lineage of a genome say of its genetic codes.

    Parameters
    ----------
    source : dict
        The genome's config, of which ``ensembl`` and ``ucsc`` are used.
    lineages : iterable of str
        Taxa of the records, joined with semicolons, as GenBank and EMBL have them; the first counts.
    insdc : bool
        Whether coding sequences come from GenBank, EMBL or NCBI's GFF3, where one that names no code has code 1.
    """
    if lineage := next(filter(None, lineages), ""):
        taxa = lineage.split("; ")
        nuclear = 11 if taxa[0] in PROKARYOTES else 1 if insdc else None
        code = next((LINEAGES[taxon] for taxon in reversed(taxa) if taxon in LINEAGES), None)
        return UnsaidCodes(nuclear, code, f"lineage {taxa[0]}" if nuclear == 11 else "INSDC's default")
    if ensembl := source.get("ensembl"):
        division, genus = ensembl.get("division", "vertebrates"), ensembl["species"].partition("_")[0]
        code = GENERA.get(genus, VERTEBRATE if division == "vertebrates" else None)
        return UnsaidCodes(None if division == "bacteria" else 1, code, f"Ensembl, {division}")
    if ucsc := source.get("ucsc"):
        return UnsaidCodes(1, _of_ucsc(ucsc["assembly"] if isinstance(ucsc, dict) else ucsc), "UCSC")
    return UnsaidCodes(1, None, "INSDC's default") if insdc else UnsaidCodes()


def _of_ucsc(assembly: str) -> int | None:
    """Mitochondrial code; accessions (hubs) can be of anything."""
    if assembly.startswith(("GCA_", "GCF_")):
        return None
    return next((code for pattern, code in UCSC if pattern.fullmatch(assembly)), VERTEBRATE)
