"""Is a genome whose genes nobody knows well read? Numbers that have a usual range, beside those of another finder."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from dnalm.genefinder.candidates import MIN_LENGTH
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.sequence.genetic_code import codon_index, genetic_code, translate
from dnalm.sequence.orfs import stop_key

log = logging.getLogger(__name__)
COLUMNS = ["target", "method", "measure", "value", "note"]
STARTS = ("ATG", "GTG", "TTG")
#: Codon that some bacteria read as tryptophan (genetic code 4), and the stop codons that they keep.
TGA, OTHERS = 56, (48, 50)
#: Codons behind a gene in which the next stop codon is looked for; genes that a verdict on the code needs of each kind.
REACH, LEAST = 500, 20
#: Bases from which on a target is enough for the finder to teach itself well.
ENOUGH = 20_000
SMALL = f"fewer than {ENOUGH:,} bases to learn from: its codons and starts are hardly known, and calls are less sure"
#: Chance that a frame is open for longer behind a TGA than behind another stop codon, from which on it is a warning.
SUSPECT = 0.7


def summary(target: str, genome, calls: dict[str, pd.DataFrame], proteins=None) -> pd.DataFrame:
    """What was read, and what the genes of each finder are like: rows of `COLUMNS`.

    Parameters
    ----------
    target : str
    genome : dnalm.io.fasta.Genome
    calls : dict of method to DataFrame
        Called genes, those of ``dnalm`` first; with ``motif`` where the finder names binding sites.
    proteins : path
        Protein FASTA of ``dnalm``, in which stop codons are counted.
    """
    read = composition(genome)
    rows = [(target, "", measure, value, "") for measure, value in read.items() if measure != "bases"]
    small = read["bases"] - read["bases_n"] < ENOUGH
    rows.insert(0, (target, "", "bases", read["bases"], SMALL if small else ""))
    for method, table in calls.items():
        found = measures(genome, table)
        others = [other for name, other in calls.items() if name != method]
        if others and len(table):
            found["stops_shared"] = float(np.isin(_stops(genome, table), _stops(genome, others[0])).mean())
        if method == "dnalm":
            found |= {"mean_score": table["score"].mean()}
            found |= {} if proteins is None else {"stops_inside": stops_in(proteins)}
        rows += [(target, method, measure, value, "") for measure, value in found.items()]
    check = read_through(genome, next(iter(calls.values())))
    rows.append((target, "dnalm", "open_behind_tga", check.chance, check.advice))
    if check.advice:
        log.warning("%s: %s", target, check.advice)
    if not len(next(iter(calls.values()))):
        log.warning("%s: no gene was called in %d bases", target, len(genome.codes))
    table = pd.DataFrame(rows, columns=COLUMNS)
    # counts stay whole numbers: as a column of floats millions of bases would be written with six digits
    return table.assign(value=pd.Series([_exact(value) for value in table["value"]], dtype=object))


def _exact(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(f"{value:.6g}")


def composition(genome) -> dict[str, float]:
    """Contigs and bases, all of them accounted for."""
    counts = np.bincount(np.asarray(genome.codes) & 7, minlength=5)
    known, length = max(int(counts[:4].sum()), 1), genome.contigs["length"]
    return {
        "contigs": len(length), "contigs_circular": int(genome.contigs["circular"].sum()),
        "contigs_too_short": int((length < MIN_LENGTH).sum()), "bases": len(genome.codes), "bases_n": int(counts[4]),
        "gc": (counts[1] + counts[2]) / known, "genetic_code": int(genome.contigs["genetic_code"].iloc[0]),
    }  # fmt: skip


def measures(genome, calls: pd.DataFrame) -> dict[str, float]:
    """Numbers of one finder's calls; shares are NaN where there is nothing to count."""
    known = max(int((np.asarray(genome.codes) & 7 < 4).sum()), 1)
    genes = list(_sequences(genome, calls))
    starts = _has_start(calls, genes)
    first = np.array([decode(codes[:3]) for codes, _ in genes], dtype=object)[starts]
    found = {
        "genes": len(calls), "genes_per_kb": 1000 * len(calls) / known,
        "coding_share": covered(genome, calls) / known,
        "contigs_without_genes": len(genome.contigs) - calls["contig"].nunique(),
        "median_length": (calls["end"] - calls["start"]).astype(float).median(),
        "partial_share": calls["partial"].astype(float).mean(),
        "stops_inside": sum(translate(codes[:-3], code, start=False).count("*") for codes, code in genes),
        **{f"start_{codon}": _share(first == codon) for codon in STARTS},
        "start_other": _share(~np.isin(first, STARTS)),
    }  # fmt: skip
    if "motif" in calls:
        found["without_site"] = _share(calls["motif"].to_numpy()[starts] == "")
    return found


def _share(which: np.ndarray) -> float:
    return float(which.mean()) if len(which) else np.nan


def _has_start(calls: pd.DataFrame, genes) -> np.ndarray:
    """Calls whose start is not cut off; of a finder that does not tell, those that begin with a start codon."""
    if "codon" in calls:
        return calls["codon"].to_numpy() >= 0
    whole = ~calls["partial"].to_numpy(dtype=bool)
    return whole | np.array([genetic_code(code)[1][codon_index(codes)[0]] for codes, code in genes], dtype=bool)


def _sequences(genome, calls: pd.DataFrame):
    """Codes of every call in its own direction, and its genetic code."""
    contigs = {c.contig: c for c in genome.contigs.itertuples(index=False)}
    for call in calls.itertuples(index=False):
        contig = contigs[call.contig]
        codes = genome.codes[contig.offset : contig.offset + contig.length]
        codes = codes.take(np.arange(call.start, call.end), mode="wrap") & 7
        yield (reverse_complement(codes) if call.strand == "-" else codes), int(contig.genetic_code)


def covered(genome, calls: pd.DataFrame) -> int:
    """Bases that lie in a call, each counted once."""
    contigs = genome.contigs.set_index("contig")
    offset, length = (calls["contig"].map(contigs[key]).to_numpy(dtype=np.int64) for key in ("offset", "length"))
    start, end = (calls[key].to_numpy(dtype=np.int64) for key in ("start", "end"))
    change = np.zeros(len(genome.codes) + 1, dtype=np.int64)
    np.add.at(change, offset + start, 1)
    np.add.at(change, offset + np.minimum(end, length), -1)
    over = end > length
    np.add.at(change, offset[over], 1)
    np.add.at(change, (offset + end - length)[over], -1)
    return int((np.cumsum(change) > 0).sum())


def _stops(genome, calls: pd.DataFrame) -> np.ndarray:
    """Numbers of the calls' stop codons, unique in the genome."""
    number = {name: i for i, name in enumerate(genome.contigs["contig"])}
    length = calls["contig"].map(dict(genome.contigs[["contig", "length"]].itertuples(index=False)))
    key = stop_key(
        calls["start"].to_numpy(), calls["end"].to_numpy(), np.where(calls["strand"] == "+", 1, -1),
        length.to_numpy(dtype=np.int64),
    )  # fmt: skip
    return (calls["contig"].map(number).to_numpy(dtype=np.int64) << 40) + key


def stops_in(proteins) -> int:
    """Stop codons inside the proteins of a FASTA file."""
    lines = Path(proteins).read_text().splitlines()
    return sum(line.count("*") for line in lines if not line.startswith(">"))


@dataclass(frozen=True)
class ReadThrough:
    """Whether TGA ends genes: the chance that a frame stays open for longer behind a TGA than behind another stop."""

    chance: float
    advice: str


def read_through(genome, calls: pd.DataFrame) -> ReadThrough:
    """Compare what follows the genes that end with TGA with what follows those that end with another stop codon.

    Where TGA is an amino acid, a gene that is called up to a TGA goes on behind it, up to the true stop codon; behind a
    real stop codon a frame is closed as soon as chance has it. The chance is the area under the ROC curve of the number
    of codons up to the next TAA or TAG (Mann and Whitney 1947): one half where TGA is a stop codon like the others.
    """
    contigs = {c.contig: c for c in genome.contigs.itertuples(index=False)}
    behind = {stop: [] for stop in (TGA, *OTHERS)}
    for call in calls.itertuples(index=False):
        contig = contigs[call.contig]
        if not genetic_code(contig.genetic_code)[2][TGA]:
            continue
        codons = _from_stop(genome.codes[contig.offset : contig.offset + contig.length], call, contig.circular)
        if len(codons) and codons[0] in behind:
            closed = np.isin(codons[1:], OTHERS) | (codons[1:] < 0)
            behind[codons[0]].append(int(closed.argmax()) if closed.any() else len(closed))
    tga, other = behind[TGA], [n for stop in OTHERS for n in behind[stop]]
    if min(len(tga), len(other)) < LEAST:
        return ReadThrough(np.nan, "")
    chance = float(mannwhitneyu(tga, other).statistic / (len(tga) * len(other)))
    advice = ""
    if chance > SUSPECT:
        advice = (
            f"TGA hardly ends genes here: {len(tga)} genes are called up to one, and the frame behind it is open for "
            f"{np.median(tga):.0f} codons (behind other stops {np.median(other):.0f}); if this is a mycoplasma or a "
            "relative, set genetic_code: 4"
        )
    return ReadThrough(chance, advice)


def _from_stop(codes, call, circular: bool) -> np.ndarray:
    """Codons from a call's last one on, in its frame and direction, `REACH` of them at most."""
    reach = 3 * (REACH + 1)
    low, high = (call.end - 3, call.end - 3 + reach) if call.strand == "+" else (call.start + 3 - reach, call.start + 3)
    if not circular:
        low, high = max(low, call.start % 3 if call.strand == "-" else 0), min(high, len(codes))
    text = np.asarray(codes).take(np.arange(low, high), mode="wrap") & 7
    text = reverse_complement(text) if call.strand == "-" else text
    return codon_index(text)[::3] if len(text) >= 3 else np.empty(0, dtype=np.int64)
