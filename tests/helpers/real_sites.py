"""Providers' folders made of real genomes of DNALM_DATA: E. coli K-12 at NCBI, yeast at UCSC and at Ensembl."""

import gzip
import os
import re
import struct
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from Bio.SeqIO.FastaIO import SimpleFastaParser

from helpers.mirror import Site, bsd_sum, md5

#: Read once, because tests hide the variable from the workflow.
FOLDERS = [Path(folder) for folder in os.environ.get("DNALM_DATA", "").split(os.pathsep) if folder]
ASSEMBLY, CHROMOSOME = "GCF_000005845.2_ASM584v2", "NC_000913.3"
YEAST_FASTA = "Saccharomyces_cerevisiae.R64-1-1.dna.toplevel.fa.gz"
YEAST_GFF = "GCF_000146045.2_R64_SGD_R64-4-1.gff.gz"
#: Some of what a masker of simple sequence would find.
REPEATS = re.compile("[AT]{14,}")
#: What UCSC and Ensembl call the mitochondrion.
MITOCHONDRIA = {"chr": "chrM", "": "Mito"}


def real(name: str) -> Path:
    """A file in a folder of DNALM_DATA or one level below; the test is skipped where there is none."""
    places = [p for folder in FOLDERS for p in (folder / name, *folder.glob(f"*/{name}")) if p.is_file()]
    return places[0] if places else pytest.skip(f"{name} is in no folder of DNALM_DATA")


def add_k12(site: Site) -> None:
    """E. coli K-12 MG1655 as NCBI keeps it, below /genomes/all."""
    report = (
        "# Assembly name:  ASM584v2\r\n# Organism name:  Escherichia coli str. K-12 substr. MG1655 (E. coli)\r\n"
        "# Sequence-Name\tSequence-Role\tAssigned-Molecule\tAssigned-Molecule-Location/Type\tGenBank-Accn\t"
        "Relationship\tRefSeq-Accn\tAssembly-Unit\tSequence-Length\tUCSC-style-name\r\nANONYMOUS\tassembled-molecule\tna\tChromosome\t"
        f"U00096.3\t=\t{CHROMOSOME}\tPrimary Assembly\t4641652\tna\r\n"
    )
    files = {f"{ASSEMBLY}_assembly_report.txt": report.encode()}
    for ours, theirs in (("fna", "fna"), ("gff", "gff"), ("gbff", "gbff")):
        files[f"{ASSEMBLY}_genomic.{theirs}.gz"] = real(f"ecoli_k12_mg1655.{ours}.gz").read_bytes()
    files["md5checksums.txt"] = "".join(f"{md5(data)}  ./{name}\n" for name, data in files.items()).encode()
    for name, data in files.items():
        site.add(f"/genomes/all/GCF/000/005/845/{ASSEMBLY}/{name}", data)


def yeast(prefix: str) -> dict[str, str]:
    """Sequences of yeast, simple repeats in lower case, under the names of a provider."""
    with gzip.open(real(YEAST_FASTA), "rt") as file:
        records = [(title.split()[0], text) for title, text in SimpleFastaParser(file)]
    names = {name: MITOCHONDRIA[prefix] if name == "Mito" else f"{prefix}{name}" for name, _ in records}
    return {names[name]: REPEATS.sub(lambda found: found[0].lower(), text) for name, text in records}


def yeast_gff(prefix: str) -> list[list[str]]:
    """Fields of RefSeq's rows, with a provider's names of contigs."""
    rows = [line.split("\t") for line in gzip.decompress(real(YEAST_GFF).read_bytes()).decode().splitlines()]
    rows = [row for row in rows if len(row) == 9]
    called = {row[0]: attributes(row)["Name"] for row in rows if row[2] == "region"}
    for row in rows:
        name = called[row[0]]
        row[0] = MITOCHONDRIA[prefix] if name == "MT" else f"{prefix}{name}"
    return rows


def attributes(row: list[str]) -> dict[str, str]:
    """The last column of a row of GFF3."""
    return dict(part.split("=", 1) for part in row[8].split(";") if "=" in part)


def add_saccer3(site: Site, folder: Path) -> None:
    """Yeast as UCSC keeps it, below /goldenPath: 2bit, md5sum.txt, a gene track whose coding parts lack stops."""
    place, track = "/goldenPath/sacCer3/bigZips", folder / "track.gtf"
    sequence = twobit(yeast("chr"))
    site.add(f"{place}/sacCer3.2bit", sequence)
    site.add(f"{place}/md5sum.txt", f"{md5(sequence)}  sacCer3.2bit\n".encode())
    (folder / "rows.gff3").write_text("\n".join(["##gff-version 3", *map("\t".join, yeast_gff("chr"))]) + "\n")
    subprocess.run(["gffread", folder / "rows.gff3", "-T", "-o", track], check=True, capture_output=True)
    site.add(f"{place}/genes/sacCer3.ncbiRefSeq.gtf.gz", packed(cut_stops(track.read_text())))


def add_r64(site: Site) -> None:
    """Yeast as Ensembl keeps it in release 113, below /pub: CHECKSUMS and rows in Ensembl's manner, without codes."""
    stem, root, species = "Saccharomyces_cerevisiae.R64-1-1", "/pub/release-113", "saccharomyces_cerevisiae"
    texts = yeast("")
    titles = {
        name: f">{name} dna_sm:chromosome chromosome:R64-1-1:{name}:1:{len(t)}:1 REF" for name, t in texts.items()
    }
    fasta = "\n".join(f"{titles[name]}\n{folded(text)}" for name, text in texts.items()) + "\n"
    lines = ["##gff-version 3", *(f"##sequence-region   {name} 1 {len(text)}" for name, text in texts.items())]
    lines += ["#!genome-build SGD R64-1-1", "#!genome-version R64-1-1", *ensembl_rows(yeast_gff(""))]
    for place, name, data in (
        (f"{root}/fasta/{species}/dna", f"{stem}.dna_sm.toplevel.fa.gz", fasta),
        (f"{root}/gff3/{species}", f"{stem}.113.gff3.gz", "\n".join(lines) + "\n"),
    ):
        file = site.add(f"{place}/{name}", packed(data))
        site.add(f"{place}/CHECKSUMS", f"{bsd_sum(file)} {name}\n".encode())


def ensembl_rows(rows: list[list[str]]) -> list[str]:
    """Rows of genes with the IDs and attributes that Ensembl writes."""
    kinds, lines = {}, []
    for contig, _, _, start, end, *_ in (row for row in rows if row[2] == "region"):
        circular = ";Is_circular=true" * (contig == "Mito")
        lines.append(f"{contig}\tR64-1-1\tchromosome\t{start}\t{end}\t.\t.\t.\tID=chromosome:{contig}{circular}")
    for row in rows:
        told = attributes(row)
        name, parents = told.get("ID", ""), [kinds[p] for p in told.get("Parent", "").split(",") if p in kinds]
        parent = f";Parent={','.join(parents)}" if parents else ""
        if row[2] in ("gene", "pseudogene") and name:
            kinds[name] = f"gene:{told.get('locus_tag', name)}"
            line = f"ID={kinds[name]};biotype={told.get('gene_biotype', 'pseudogene')};logic_name=sgd"
        elif row[2] in ("exon", "CDS") and parents:
            line = parent[1:] if row[2] == "exon" else f"ID=CDS:{told.get('Name', name)}{parent};biotype=protein_coding"
        elif parents:
            kinds[name] = f"transcript:{name.removeprefix('rna-')}"
            line = f"ID={kinds[name]}{parent};biotype={'protein_coding' if row[2] == 'mRNA' else row[2]}"
        else:
            continue
        lines.append("\t".join([row[0], "sgd", *row[2:8], line]))
    return lines


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), 1, mtime=0)


def folded(text: str) -> str:
    """A sequence in lines of 60 letters."""
    return "\n".join(text[i : i + 60] for i in range(0, len(text), 60))


def cut_stops(gtf: str) -> str:
    """GTF with the last three coding bases of each transcript as rows of their own, as Ensembl and UCSC write it."""
    coding, lines = defaultdict(list), []
    for line in gtf.splitlines():
        fields = line.split("\t")
        if len(fields) > 8 and fields[2] == "CDS":
            coding[fields[8].split('"')[1]].append(fields)
        else:
            lines.append(line)
    for rows in coding.values():
        rows.sort(key=lambda f: int(f[3]), reverse=rows[0][6] == "+")
        left = 3
        for f in rows:
            start, end = int(f[3]), int(f[4])
            take = min(left, end - start + 1)
            left -= take
            ours, stop = ((start, end - take), (end - take + 1, end)) if f[6] == "+" else (
                (start + take, end), (start, start + take - 1)
            )  # fmt: skip
            if take:
                lines.append("\t".join([*f[:2], "stop_codon", *map(str, stop), *f[5:]]))
            if ours[0] <= ours[1]:
                lines.append("\t".join([*f[:3], *map(str, ours), *f[5:]]))
    return "\n".join(lines) + "\n"


def twobit(contigs: dict[str, str]) -> bytes:
    """Contigs of A, C, G and T in UCSC's 2bit format, lower case as its mask."""
    place, index, body = 16 + sum(5 + len(name) for name in contigs), b"", b""
    for name, text in contigs.items():
        index += struct.pack("<B", len(name)) + name.encode() + struct.pack("<I", place + len(body))
        runs = [(found.start(), len(found[0])) for found in re.finditer("[acgt]+", text)]
        mask = np.array(runs, dtype="<u4").reshape(-1, 2).T.tobytes()
        letters = np.frombuffer(text.upper().encode(), dtype=np.uint8)
        codes = np.zeros(-(-len(letters) // 4) * 4, dtype=np.uint8)
        codes[: len(letters)] = np.array(["TCAG".find(chr(i)) & 3 for i in range(256)], dtype=np.uint8)[letters]
        four = codes.reshape(-1, 4)
        packed_bases = (four[:, 0] << 6 | four[:, 1] << 4 | four[:, 2] << 2 | four[:, 3]).astype(np.uint8)
        body += struct.pack("<3I", len(text), 0, len(runs)) + mask + struct.pack("<I", 0) + packed_bases.tobytes()
    return struct.pack("<4I", 0x1A412743, 0, len(contigs), 0) + index + body
