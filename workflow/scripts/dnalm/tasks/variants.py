"""Variants in, variants out: a file of variants scored by the language model, batch by batch.

Substitutions of one base have a two-sided log-likelihood ratio, which needs one pass over the genome and not one per
variant; all others have a joint one, with a pass each. Memory does not grow with the file.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from dnalm.io.fasta import Genome
from dnalm.io.tables import atomic_path, write_tsv
from dnalm.sequence.alphabet import encode
from dnalm.sequence.splits import SPLITS
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import Expectations, entropy, likelihood_ratios
from dnalm.tasks.tolerance import Tolerance, language_features
from dnalm.training.progress import short
from dnalm.variant_files.normalise import normalised
from dnalm.variant_files.reader import open_variants
from dnalm.variant_files.writer import InfoField, VariantWriter
from dnalm.variants.consequence import behind_contigs, consequences

log = logging.getLogger(__name__)
FIELDS = [
    InfoField("DNALM_LLR", "Log-likelihood ratio of the alternative base given both sides, in nats"),
    InfoField("DNALM_JOINT", "Log-likelihood ratio of the sequence with the variant, mean of both strands, in nats"),
    InfoField("DNALM_ENTROPY", "Entropy in bits of what is expected at the base given both sides"),
    InfoField("DNALM_CSQ", "Most severe consequence by the annotation of the study", "String"),
    InfoField("DNALM_GENE", "Gene of the consequence", "String"),
    InfoField("DNALM_CHANGE", "Amino acids before and after, with the number of the codon", "String"),
    InfoField("DNALM_SPLIT", "Part of the study that the place is in: train, validation, test or gap", "String"),
]
#: Keys that a study with a relative adds; what the relative is called goes into the braces.
TOLERANCE_FIELDS = [
    ("DNALM_TOLERANCE", "Log-odds that a substitution is a simulated change and not one that was observed in {}"),
    ("DNALM_NOT_ALIGNED", "A substitution is outside of what could be compared with {}: no DNALM_TOLERANCE"),
]
#: All keys that a study can write: those of an older run, of another model perhaps, do not stay beside new ones.
KEYS = [*(field.name for field in FIELDS), *(name for name, _ in TOLERANCE_FIELDS)]


@dataclass
class Scorer:
    """What scores the variants of one genome of a study.

    ``whole`` is the genome that the model knows: the study's, of which ``genome`` is one part. ``first`` is the
    part's first global position in it. ``splits`` (int8 per global position of ``whole``) are labels of
    `dnalm.sequence.splits.split_labels`, None without. With ``tolerance``, substitutions also get its score.
    """

    genome: Genome
    whole: Genome
    expected: Expectations
    joint: JointLikelihood
    coding: object
    splits: np.ndarray | None = None
    which: str = "others"
    tolerance: Tolerance | None = None

    def __post_init__(self):
        self.first = self.whole.span(self.genome.name)[0] if self.whole is not self.genome else 0

    @property
    def fields(self) -> list[InfoField]:
        """Keys of INFO of what `score` finds."""
        if self.tolerance is None:
            return FIELDS
        kinds = {"DNALM_TOLERANCE": (), "DNALM_NOT_ALIGNED": ("Flag", "0")}
        more = [InfoField(key, text.format(self.tolerance.relative), *kinds[key]) for key, text in TOLERANCE_FIELDS]
        return [*FIELDS, *more]

    def score(self, alleles: pd.DataFrame) -> pd.DataFrame:
        """One row per allele: ``llr``, ``joint``, ``entropy`` (NaN without), ``split``, and its consequence.

        With ``tolerance`` also its score, and bool ``not_aligned`` for substitutions that have none for this reason.
        ``alleles`` are as `dnalm.variants.normalise.normalised` gives them.
        """
        usable = (alleles["flag"] == "").to_numpy()
        place = alleles["position"].to_numpy() + self.first
        single = usable & (alleles["kind"] == "snv").to_numpy()
        table = pd.DataFrame({"llr": np.nan, "joint": np.nan, "entropy": np.nan}, index=alleles.index, dtype=np.float32)
        found = self._substitutions(place[single], encode("".join(alleles["alt_bases"][single])))
        for name in ("llr", "entropy"):
            table.loc[single, name] = found[name]
        also = {"others": usable & ~single, "all": usable, "none": np.zeros_like(usable)}[self.which]
        ref, alt = (list(alleles[column][also]) for column in ("ref", "alt_bases"))
        behind = behind_contigs(self.genome, alleles, alleles["position"].to_numpy())
        table.loc[also, "joint"] = self.joint.ratios(place[also], ref, alt, behind[also]).astype(np.float32)
        at = np.maximum(place - behind, 0)
        table["split"] = np.where(usable, np.array(SPLITS)[self.splits[at]], "") if self.splits is not None else ""
        if self.tolerance is not None:
            table["tolerance"], table["not_aligned"] = np.float32(np.nan), False
            table.loc[single, "tolerance"] = found["tolerance"]
            table.loc[single, "not_aligned"] = np.isnan(found["tolerance"])
        told = consequences(self.genome, self.coding, alleles)
        return pd.concat([table, told], axis=1)

    def _substitutions(self, place: np.ndarray, alternative: np.ndarray) -> dict[str, np.ndarray]:
        """``llr``, ``entropy`` and perhaps ``tolerance``, float32 (n,), of substitutions at positions of ``whole``."""
        if self.tolerance is not None:
            known = language_features(self.expected, self.whole, place, alternative)
            score = self.tolerance.score(place - self.first, alternative, known)
            found = {"llr": known["llr"], "entropy": known["entropy"], "tolerance": score}
            return {name: np.asarray(column, dtype=np.float32) for name, column in found.items()}
        logp = self.expected.at(place)
        ratios = likelihood_ratios(logp, self.whole.codes[place])
        return {"llr": ratios[np.arange(len(ratios)), alternative], "entropy": entropy(logp).astype(np.float32)}


def score_file(scorer: Scorer, vcf, outputs: dict, aliases=None, max_length: int = 50) -> None:
    """Score a VCF or BCF file.

    Parameters
    ----------
    outputs : dict
        Paths: ``vcf`` (``.vcf.gz``, an index comes beside it), ``parquet`` (one row per allele), ``rejects`` (lines
        that were no records) and ``summary`` (alleles by kind, reason of having no score, and consequence).

    Notes
    -----
    Alleles are scored where they are leftmost; the records come out as they are.
    """
    file = open_variants(vcf, scorer.genome, aliases, max_length)
    summary, records = Summary(), 0
    with (
        VariantWriter(outputs["vcf"], file.header, scorer.genome, scorer.fields, KEYS) as out,
        _Rows(outputs["parquet"]) as rows,
    ):
        for batch in file.batches():
            alleles = normalised(scorer.genome, batch.alleles)
            scores = scorer.score(alleles)
            out.write(batch, _info(alleles, scores, len(batch.lines)))
            rows.write(_row_table(scorer.genome, batch, alleles, scores))
            summary.add(alleles, scores, _other_lengths(file, batch))
            records += len(batch.lines)
            log.info("%s records", short(records))
    table = summary.table(file.rejected)
    _tell(vcf, records, table)
    write_tsv(table, outputs["summary"])
    write_tsv(file.rejects, outputs["rejects"])


def _tell(vcf, records: int, table: pd.DataFrame) -> None:
    """Log what became of a file, of the table of its `Summary`; lines that are no records the reader has told."""
    counts = table.set_index(["group", "name"])["alleles"].sort_values(ascending=False)
    kinds, reasons, twice = (counts[counts.index.get_level_values(0) == g] for g in ("kind", "not scored", "duplicate"))
    why = ", ".join(f"{n:,} {reason}" for (_, reason), n in reasons.items())
    log.info(
        "%s: %s records; %s alleles scored, %s of them duplicates; %s not scored%s", vcf, f"{records:,}",
        *(f"{some.sum():,}" for some in (kinds, twice, reasons)), f": {why}" if why else "",
    )  # fmt: skip


class Summary:
    """Counts of alleles and sums of their scores, batch by batch."""

    def __init__(self):
        self._sums: dict[tuple[str, str], np.ndarray] = {}

    def add(self, alleles: pd.DataFrame, scores: pd.DataFrame, other_length: pd.Series) -> None:
        """Count a batch; ``other_length`` says of alleles on contigs of another length what the two are."""
        usable = alleles["flag"] == ""
        self._count("kind", alleles["kind"][usable].astype(object), scores)
        self._count("not scored", alleles["flag"][~usable], scores)
        self._count("consequence", scores["consequence"][usable], scores)
        self._count("duplicate", alleles["duplicate"][alleles["duplicate"]].map({True: "yes"}), scores)
        self._count("another length", other_length, scores)
        if "tolerance" in scores:
            aligned = scores["tolerance"].notna()
            told = np.where(aligned, "scored", "not_aligned")[aligned | scores["not_aligned"]]
            self._count("tolerance", pd.Series(told, scores.index[aligned | scores["not_aligned"]]), scores)

    def _count(self, group: str, names: pd.Series, scores: pd.DataFrame) -> None:
        for name, rows in names.groupby(names, sort=False):
            llr, joint = (scores.loc[rows.index, column].dropna() for column in ("llr", "joint"))
            sums = np.array([len(rows), llr.sum(), len(llr), joint.sum(), len(joint)])
            self._sums[group, name] = self._sums.get((group, name), 0) + sums

    def table(self, rejected: dict[str, int]) -> pd.DataFrame:
        """Columns group, name, alleles, mean_llr, mean_joint (nats); lines without a record count as alleles."""
        rows = []
        for (group, name), (alleles, llr, n_llr, joint, n_joint) in sorted(self._sums.items()):
            means = (llr / n_llr if n_llr else np.nan, joint / n_joint if n_joint else np.nan)
            rows.append((group, name, int(alleles), *means))
        rows += [("no record", reason, number, np.nan, np.nan) for reason, number in sorted(rejected.items())]
        return pd.DataFrame(rows, columns=["group", "name", "alleles", "mean_llr", "mean_joint"])


def _other_lengths(file, batch) -> pd.Series:
    """What is odd about the contig of each allele on one that the header says is longer or shorter."""
    said = {
        name: f"{name}: {there} bases in the header, {here} in the genome"
        for name, (there, here) in file.other_lengths.items()
    }
    if not said:
        return pd.Series(dtype=object)
    names = np.array([line[0] for line in batch.lines], dtype=object)[batch.alleles["record"]]
    found = pd.Series(names, batch.alleles.index).map(said)
    return found[found.notna()]


def _info(alleles: pd.DataFrame, scores: pd.DataFrame, records: int) -> dict:
    after = scores["alt_aa"].where(scores["consequence"] != "frameshift_variant", "fs")
    change = np.where(scores["ref_aa"] != "", scores["ref_aa"] + scores["codon_number"].astype(str) + after, None)
    relative = {}
    if "tolerance" in scores:
        outside = np.isin(np.arange(records), alleles["record"][scores["not_aligned"]])
        relative = {"DNALM_TOLERANCE": scores["tolerance"], "DNALM_NOT_ALIGNED": outside}
    return {
        **relative,
        "DNALM_LLR": scores["llr"],
        "DNALM_JOINT": scores["joint"],
        "DNALM_ENTROPY": scores["entropy"],
        "DNALM_CSQ": scores["consequence"].replace("", None),
        "DNALM_GENE": scores["gene"].replace("", None),
        "DNALM_CHANGE": change,
        "DNALM_SPLIT": scores["split"].replace("", None),
    }


def _row_table(genome, batch, alleles, scores) -> pd.DataFrame:
    record = alleles["record"].to_numpy()
    own = pd.DataFrame({
        "line": alleles["line"].to_numpy(),
        "chrom": [batch.lines[i][0] for i in record],
        "pos": batch.positions[record],
        "id": [batch.lines[i][2] for i in record],
        "vcf_ref": [batch.lines[i][3] for i in record],
    })  # fmt: skip
    columns = ["contig", "position", "ref", "alt_bases", "kind", "flag", "duplicate"]
    alleles = alleles[columns].rename(columns={"alt_bases": "alt"}).reset_index(drop=True)
    first = alleles["contig"].map(dict(zip(genome.contigs["contig"], genome.contigs["offset"], strict=True)))
    alleles["position"] -= first.where(alleles["position"] >= 0, 0).astype(np.int64)
    alleles["kind"] = alleles["kind"].astype(object).where(alleles["kind"].notna(), "")
    return pd.concat([own, alleles, scores.reset_index(drop=True)], axis=1)


class _Rows:
    """A Parquet file that is written table by table and appears when all are there."""

    def __init__(self, path):
        self._path, self._writer = path, None

    def __enter__(self):
        self._scratch = atomic_path(self._path)
        self._temporary = self._scratch.__enter__()
        return self

    def write(self, table: pd.DataFrame) -> None:
        rows = pa.Table.from_pandas(table, preserve_index=False)
        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(self._temporary, rows.schema, compression="zstd")
        self._writer.write_table(rows.cast(self._writer.schema))

    def __exit__(self, kind, error, trace):
        if self._writer is None and kind is None:
            pd.DataFrame(columns=["line"]).to_parquet(self._temporary)
        elif self._writer:
            self._writer.close()
        self._scratch.__exit__(kind, error, trace)
