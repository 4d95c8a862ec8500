"""Consequences on real genomes against two strangers: ``bcftools csq``, and the names of the WHO's TB catalogue.

bcftools csq (Danecek and McCarthy 2017; `--local-csq`, one record at a time) reads the same whole genes from an
Ensembl-like GFF3, with the standard genetic code: stop codons as in code 11, and no start codon but ATG. Both say the
same, but for these classes, each of which a test names; a third method (`helpers.consequences.SlowGene`, Biopython)
says of every one of them, where the allele lies in the coding sequence, that we are right:

start
    A change in the first codon, or one whose VCF record touches it (the base before an indel counts). bcftools calls it
    lost if a base of it changes, even to the same codon; it knows neither GTG nor TTG, so that a change of such a start
    is missense or synonymous there; what is cut at the gene's edge is a ``coding_sequence`` change.
stop
    The same at the last codon: bcftools does not read on beyond the gene, so that a stop codon that the following bases
    complete again is lost there, and some insertions that leave a longer protein are ``stop_retained``.
replaced
    Several bases replaced at once that make a stop codon behind their first codon: ``missense`` there.
splice site
    An insertion or deletion at the edge of an intron, which can be written at several places: bcftools looks whether
    the splice site is there afterwards, we where the bases are. Of an intron it names the most severe term alone.
ambiguous deletion
    A deletion whose last base equals the base before it (ACGA>A), in frame: bcftools translates a wrong codon.
"""

import gzip
import itertools
import os
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from Bio.SeqUtils import seq1
from helpers.consequences import SlowGene

from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source
from dnalm.sequence.alphabet import decode, encode
from dnalm.variants.coding import read_coding
from dnalm.variants.consequence import consequences
from dnalm.variants.snv import SnvTables, snv_records
from dnalm.variants.terms import CODONS, TERMS

GENOMES = {"bacterium": "chlamydia_trachomatis_d_uw3cx", "yeast": "saccharomyces_cerevisiae_slices"}

INTRON = {"intron", "splice_donor", "splice_acceptor"}


def short(term):
    """A term as bcftools writes it."""
    return term.removesuffix("_variant").replace("5_prime_UTR", "5_prime_utr").replace("3_prime_UTR", "3_prime_utr")


RANKS = {short(term): rank for rank, term in enumerate(TERMS)}


def built(folder, source):
    build_genome("g", resolve_source(source), source, folder)
    genome = load_genome(folder)
    return genome, read_coding(genome, pd.read_parquet(folder / "features.parquet"))


def random_record(rng, text, at):
    """A VCF record (0-based position, REF, ALT) at a base: half of them single bases, the others of all kinds."""
    kind, ref = rng.integers(6), text[at]
    other = "".join(rng.choice(list("ACGT"), int(rng.integers(1, 7))))
    if kind < 3:
        return at, ref, "ACGT"[rng.integers(4)]
    if kind == 3:
        return at, ref, ref + other
    if kind == 4:
        return at, text[at : at + int(rng.integers(2, 8))], ref
    return at, text[at : at + len(other)], other


def records_of(genome, coding, number, edges, seed=5):
    """Sorted random records of all contigs, ``edges`` of them near each end of a coding part."""
    rng, found = np.random.default_rng(seed), set()
    for contig in genome.contigs.itertuples(index=False):
        text = decode(genome.contig_codes(contig.contig)).upper()
        parts = np.concatenate(coding.table.loc[coding.table["contig"] == contig.contig, "parts"].tolist())
        near = np.repeat(parts.ravel() - contig.offset, edges)
        places = [rng.integers(20, len(text) - 20, int(number * len(text) / len(genome.codes)))]
        places.append(np.clip(near + rng.integers(-6, 7, len(near)), 20, len(text) - 20))
        for at in np.concatenate(places).tolist():
            at, ref, alt = random_record(rng, text, at)
            simple = len(ref) != len(alt) or len(ref) == 1 or (ref[0] != alt[0] and ref[-1] != alt[-1])
            if ref != alt and simple and "N" not in ref:
                found.add((contig.offset, contig.contig, at, ref, alt))
    return [record[1:] for record in sorted(found)]


def trimmed(position, ref, alt):
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        position, ref, alt = position + 1, ref[1:], alt[1:]
    return position, ref, alt


def whole(coding):
    """Models that both programs read alike: whole, and in frame from part to part."""
    table = coding.table
    return table[
        (table["kind"] == "coding")
        & table["has_start"]
        & table["has_stop"]
        & (table["problem"].isin(["", "start codon"]))
    ]


def bcftools(folder, genome, models, records):
    """bcftools' answer for every record: {model: {term: what it says of the protein}}."""
    with open(folder / "g.fa", "w") as out:
        for contig in genome.contigs["contig"]:
            out.write(f">{contig}\n{decode(genome.contig_codes(contig)).upper()}\n")
    lines, offsets = ["##gff-version 3"], dict(zip(genome.contigs["contig"], genome.contigs["offset"], strict=True))
    for m in models.itertuples():
        line = f"{m.contig}\tx\t%s\t%d\t%d\t.\t{m.strand}\t%s\t%s"
        spans = sorted((m.parts - offsets[m.contig]).tolist())
        low, high = spans[0][0] + 1, spans[-1][1]
        lines.append(line % ("gene", low, high, ".", f"ID=gene:g{m.Index};biotype=protein_coding;Name=g{m.Index}"))
        names = f"ID=transcript:{m.Index};Parent=gene:g{m.Index};biotype=protein_coding"
        lines.append(line % ("mRNA", low, high, ".", names))
        done = 0
        for a, b in spans if m.strand == "+" else spans[::-1]:
            lines.append(line % ("exon", a + 1, b, ".", f"Parent=transcript:{m.Index}"))
            lines.append(line % ("CDS", a + 1, b, -done % 3, f"Parent=transcript:{m.Index}"))
            done += b - a
    (folder / "g.gff3").write_text("\n".join(lines) + "\n")
    header = [f"##contig=<ID={c.contig},length={c.length}>" for c in genome.contigs.itertuples()]
    rows = [f"{c}\t{p + 1}\t{i}\t{r}\t{a}\t.\t.\t." for i, (c, p, r, a) in enumerate(records)]
    title = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    (folder / "v.vcf").write_text("\n".join(["##fileformat=VCFv4.2", *header, title, *rows]) + "\n")
    command = ["bcftools", "csq", "-l", "-n", "64", "-f", folder / "g.fa", "-g", folder / "g.gff3", folder / "v.vcf"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = [defaultdict(dict) for _ in records]
    for fields in (line.split("\t") for line in out.splitlines() if not line.startswith("#")):
        said = re.search(r"BCSQ=([^;]+)", fields[7])
        for entry in said[1].split(",") if said else []:
            words = entry.split("|")
            for term in words[0].split("&"):
                found[int(fields[2])][int(words[1][1:])][term] = words[5] if len(words) > 5 else ""
    return found


def near_codon(gene, position, ref, alt, which):
    """Whether a VCF record touches the first (0) or last (-1) codon of a gene, or the base beside the gene."""
    codon = gene.places[:3] if which == 0 else gene.places[-3:]
    return any(position - 1 <= p <= position + len(ref) for p in codon)


def near_intron(gene, position, ref, alt):
    """Whether a VCF record of an insertion or deletion touches an intron's first or last bases, or the exon there."""
    places = sorted(gene.places)
    edges = [p for a, b in itertools.pairwise(places) if b - a > 1 for p in (a, b)]
    return len(ref) != len(alt) and any(position - 3 <= p <= position + len(ref) + 2 for p in edges)


def reason(gene, record, allele, ours):
    """The class of a disagreement (see above), or nothing."""
    if near_codon(gene, *record, 0):
        return "start"
    if near_codon(gene, *record, -1) or ours == {"stop_retained"}:
        return "stop"
    if near_intron(gene, *record):
        return "splice site"
    if len(record[1]) == len(record[2]) > 1 and "stop_gained" in ours:
        return "replaced"
    if len(record[1]) > len(record[2]) == 1 and record[1][-1] == record[2] and len(allele[1]) % 3 == 0:
        return "ambiguous deletion"
    return ""


def agree(ours, theirs):
    """Our terms are all among theirs, and the most telling of theirs are among ours.

    Of an intron bcftools names the most severe term alone.
    """
    if ours & INTRON and ours:
        return min(ours, key=RANKS.get) in theirs
    telling = {"stop_gained", "start_lost", "splice_acceptor", "splice_donor", "frameshift"} & set(theirs)
    more = {"frameshift"} if "stop_lost" in ours or "stop_retained" in ours or "start_lost" in ours else set()
    return ours <= set(theirs) and telling - more <= ours


@pytest.fixture(scope="module", params=GENOMES)
def compared(request, tmp_path_factory):
    """Every pair of an allele and a gene that either program names: (record, allele, gene, ours, theirs)."""
    if not shutil.which("bcftools"):
        pytest.skip("bcftools is not installed")
    folder = tmp_path_factory.mktemp("csq")
    genome, coding = built(folder / "genome", {"embedded": GENOMES[request.param]})
    models = whole(coding)
    records = records_of(genome, coding, *((10_000, 3) if request.param == "bacterium" else (6000, 12)))
    theirs = bcftools(folder, genome, models, records)
    offsets = dict(zip(genome.contigs["contig"], genome.contigs["offset"], strict=True))
    alleles = [trimmed(p + offsets[c], r, a) for c, p, r, a in records]
    coding.table["gene"] = [f"g{i}" for i in range(len(coding.table))]
    rows = consequences(genome, coding, pd.DataFrame(alleles, columns=["position", "ref", "alt_bases"]))
    pairs = []
    for record, allele, row, answer in zip(records, alleles, rows.itertuples(), theirs, strict=True):
        own = defaultdict(set)
        for gene, term in (piece.split("|") for piece in row.all_consequences.split("&")):
            if gene and int(gene[1:]) in models.index:
                own[int(gene[1:])].add(short(term))
        place = (record[1] + offsets[record[0]], *record[2:])
        pairs += [(place, allele, m, own.get(m, set()), answer.get(m, {}), row) for m in own.keys() | answer.keys()]
    return genome, coding, pairs


def slow_gene(genome, coding, model):
    row = coding.table.iloc[model]
    places = [p for a, b in sorted(row["parts"].tolist()) for p in range(a, b)][:: 1 if row["strand"] == "+" else -1]
    return SlowGene(genome, places, row["strand"], row["genetic_code"], circular=False)


def test_every_disagreement_is_of_a_known_class_and_biopython_says_so(compared):
    genome, coding, pairs = compared
    counts, classes, strange = Counter(), Counter(), []
    genes = {}
    for record, allele, model, ours, theirs, _ in pairs:
        kind = "snv" if len(record[1]) == len(record[2]) == 1 else "other"
        if agree(ours, theirs):
            counts[kind, "agree"] += 1
            continue
        gene = genes[model] if model in genes else genes.setdefault(model, slow_gene(genome, coding, model))
        why, truth = reason(gene, record, allele, ours), gene.term(*allele)
        counts[kind, "differ"] += 1
        classes[kind, why] += 1
        if not why or (truth and short(truth) not in ours):
            strange.append((record, allele, model, ours, dict(theirs), truth))
    assert not strange, strange[:5]
    assert {why for kind, why in classes if kind == "snv"} <= {"start"}
    elsewhere = sum(count for (_, why), count in classes.items() if why not in ("start", "stop"))
    assert elsewhere < 0.01 * counts.total() and counts.total() > 7000


def test_residues_and_codon_numbers_of_single_bases(compared):
    """``12S>12F`` or ``12S`` of bcftools."""
    _, coding, pairs = compared
    seen, names = 0, coding.table["gene"]
    for record, _, model, _, theirs, row in pairs:
        said = {re.fullmatch(r"(\d+)([A-Z*])(?:>\d+([A-Z*]))?", text) for text in theirs.values()} - {None}
        if len(record[1]) == len(record[2]) == 1 and said and row.gene == names[model] and row.codon_number > 1:
            found = said.pop()
            assert (row.codon_number, row.ref_aa, row.alt_aa) == (int(found[1]), found[2], found[3] or found[2])
            seen += 1
    assert seen > 1500


WHO = "who_v2_genomic_coordinates_20240507.vcf.gz"


def found(name):
    """A file in a folder of DNALM_DATA or one level below it; the test is skipped where there is none."""
    folders = [Path(p) for p in os.environ.get("DNALM_DATA", "").split(os.pathsep) if p]
    places = [p for folder in folders for p in (folder / name, *folder.glob(f"*/{name}")) if p.is_file()]
    if not places:
        pytest.skip(f"{name} is not in a folder of DNALM_DATA")
    return places[0]


def named_records(path):
    """(position, alt, gene, change) of the single-nucleotide records of the catalogue."""
    with gzip.open(path, "rt") as file:
        for fields in (line.rstrip().split("\t") for line in file if not line.startswith("#")):
            if len(fields[3]) == len(fields[4]) == 1:
                gene, _, change = re.search(r"graded_variant=([^;]+)", fields[7])[1].partition("_")
                yield int(fields[1]) - 1, fields[4], gene, change


def protein_change(residue, codon, new):
    """What a record says of a codon: (amino acid, number, new one); None for what the name does not tell."""
    letters = [None if word in ("?", None) else "*" if word in ("*", "Ter") else seq1(word) for word in (residue, new)]
    return letters[0], int(codon), letters[1]


def test_names_of_the_who_catalogue_of_resistance(tmp_path):
    """p.Ser450Leu, p.Met1?, p.Ter508Gluext*?, c.15C>T, n.1401A>G and LoF of single bases in the gene that they name.

    Names before a gene (c.-15C>T, n.-5A>G) are left out.
    """
    path = found(WHO)
    _, coding = built(tmp_path, {"path": str(found("mtuberculosis_h37rv.gbk.gz"))})
    records, counts = list(named_records(path)), Counter()
    names = [{gene, tag} for gene, tag in zip(coding.table["gene"], coding.table["locus_tag"], strict=True)]
    positions = np.array([record[0] for record in records], dtype=np.int64)
    ours = snv_records(coding, SnvTables(coding), positions, encode("".join(record[1] for record in records)))
    of_allele = defaultdict(list)
    for i, (allele, model) in enumerate(zip(ours.allele.tolist(), ours.model.tolist(), strict=True)):
        of_allele[allele].append((i, model))
    for allele, (_, _, gene, change) in enumerate(records):
        mine = [i for i, model in of_allele[allele] if gene in names[model]]
        protein = re.fullmatch(r"p\.([A-Z][a-z]{2})(\d+)([A-Z][a-z]{2}|\*|\?)(ext\*\?)?", change)
        coded = re.fullmatch(r"c\.(\d+)([ACGT])>([ACGT])", change)
        if re.match(r"[cn]\.-", change):
            continue
        assert len(mine) == 1, (gene, change)
        one = ours.take(mine[0])
        term, number = TERMS[one.term], int(one.codon)
        if protein:
            wanted = protein_change(*protein.groups()[:3])
            assert (chr(one.ref_aa), number) == wanted[:2] and wanted[2] in (None, chr(one.alt_aa)), (
                gene,
                change,
                term,
            )
            assert (term == "start_lost") == (wanted[2] is None) and (term == "stop_lost") == bool(protein[4])
        elif coded:
            place = int(one.place) - 1
            bases = (CODONS[one.ref_codon][place], CODONS[one.alt_codon][place])
            assert (3 * number - 2 + place, *bases) == (int(coded[1]), coded[2], coded[3]), (gene, change)
            assert one.ref_aa == one.alt_aa or term == "start_lost"
        elif change == "LoF":
            assert term in ("stop_gained", "start_lost")
        else:
            assert term == "non_coding_transcript_exon_variant" and change.startswith("n.")
        counts["protein" if protein else "coded" if coded else change.partition(".")[0]] += 1
    assert counts == {"protein": 17_524, "coded": 8281, "LoF": 1364, "n": 1614}
