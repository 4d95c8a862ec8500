"""What the report says of the genomes: facts of each, and of a study of several the results by genome."""

import os

from dnalm.figures.vocabulary import method_label
from dnalm.report import summary
from dnalm.report.glossary import VERDICTS, metric_label
from dnalm.report.inputs import Inputs
from dnalm.report.numbers import MISSING, count, metric_interval, metric_value, percent
from dnalm.report.results import verdict
from dnalm.report.tables import Cell, Column, Table

#: Contigs that are listed one by one; a draft genome may have thousands. Genomes that are named at the top.
MOST_CONTIGS, MOST_NAMES = 20, 5
NO_ANNOTATION = "no annotation"


def front(inputs: Inputs) -> dict:
    """What the head of the page says: the organism, or how many genomes; their names and bases."""
    shown = inputs.genomes or inputs.targets
    names, found = list(shown), list(shown.values())
    told = f"Genome{'s' if len(names) > 1 else ''} {', '.join(names[:MOST_NAMES])}"
    told += f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    organism = count(len(names), "genome") if len(names) > 1 else found[0].provenance.get("organism") or names[0]
    bases = count(sum(genome.card["bases"] for genome in found), "base")
    return {"genome": told, "organism": organism, "bases": bases}


def each_genome(inputs: Inputs, path: str, what: str, form: str) -> list[tuple[str, str, str]]:
    """A row of the table of files for every genome; ``path`` may hold its {name} and its {folder}."""
    several = len(inputs.genomes) > 1
    rows = []
    for name, genome in inputs.genomes.items():
        folder = os.path.relpath(genome.folder, inputs.results).replace(os.sep, "/")
        told = f"{what} of {name}" if several and "{folder}" in path else what
        rows.append((path.format(name=name, folder=folder), told, form))
    return rows


def language_tables(inputs: Inputs) -> list[Table]:
    """Bits per base of the model and its ruler, by genome; nothing for a study of one."""
    found = []
    for metric, side in ((summary.TWO_SIDED, "both sides"), (summary.CAUSAL, "one side")):
        caption = f"Read from {side}: bits per base of all test bases by genome; lower is better"
        found.append(by_genome(inputs, "pretrain", metric, [summary.RULERS[metric]], caption))
    return found


def gene_tables(inputs: Inputs, others: list[str]) -> list[Table]:
    """Genes found by genome, by every finder; nothing for a study of one."""
    captions = {m: f"{metric_label(m)} by genome; higher is better" for m in summary.GENE_SCORES}
    return [by_genome(inputs, "annotate", metric, others, caption) for metric, caption in captions.items()]


def by_genome(inputs: Inputs, stage: str, metric: str, others: list[str], caption: str) -> Table:
    """A row per genome: values of the model and of others, and what the comparison with the first of them says."""
    rows = []
    for name, stages in inputs.single.items():
        mine = stages.get(stage)
        ours = mine.value("dnalm", metric) if mine else None
        if ours is None:
            continue
        found = [ours, *(mine.value(method, metric) for method in others)]
        said = verdict(metric, mine.difference(others[0], metric))
        cells = [Cell(metric_value(metric, e), metric_interval(metric, e), e.value if e else "") for e in found]
        rows.append([Cell(name), *cells, Cell(VERDICTS[said], tone=said), Cell(f"{ours.n:,}", order=ours.n)])
    columns = [Column("Genome", kind="text"), *(Column(method_label(m)) for m in ["dnalm", *others])]
    columns += [Column("This model is", f"against {method_label(others[0])}", kind="text"), Column("n")]
    return Table(f"{metric.replace('_', '-')}-genomes", caption, columns, rows)


def data_card(inputs: Inputs) -> dict:
    """Facts of the genomes and where they come from; a table of all of them where there are several."""
    genomes = [
        {
            "name": name,
            "facts": _facts(genome.card, genome.provenance),
            "contigs": _contigs(name, genome.card["contigs"]),
        }
        for name, genome in {**inputs.genomes, **inputs.targets}.items()
    ]
    table = _all_genomes(inputs) if len(inputs.genomes) > 1 and inputs.splits is not None else None
    return {"genomes": genomes, "table": table, "several": len(genomes) > 1}


def _all_genomes(inputs: Inputs) -> Table:
    """One row per genome: what it is, and which share of it is in which split."""
    length = inputs.splits["end"] - inputs.splits["start"]
    bases = length.groupby([inputs.splits["genome"], inputs.splits["split"]]).sum()
    rows = []
    for name, genome in inputs.genomes.items():
        card, source = genome.card, inputs.config["genomes"][name]
        shares = [bases.get((name, split), 0) / card["bases"] for split in ("train", "validation", "test")]
        rows.append(
            [
                Cell(name),
                Cell(genome.provenance.get("organism") or MISSING),
                Cell(source.get("group") or MISSING),
                Cell(f"{card['bases']:,}", order=card["bases"]),
                *(Cell(percent(share), order=float(share)) for share in shares),
                Cell(percent(card["gc"], 1), order=card["gc"]),
                Cell(str(card["genetic_code"]), order=card["genetic_code"]),
                Cell(f"{card['cds']['total']:,}" if _annotated(card) else NO_ANNOTATION, order=card["cds"]["total"]),
            ]
        )
    heads = ("Bases", "Training", "Validation", "Test", "GC", "Genetic code", "CDS")
    columns = [*(Column(h, kind="text") for h in ("Genome", "Organism", "Group")), *map(Column, heads)]
    return Table("genomes", "The genomes of the study, and how much of each is in which part", columns, rows)


def _facts(card: dict, source: dict) -> list[tuple[str, str]]:
    """Data card of one genome and where it comes from."""
    cds, contigs = card.get("cds", {}), card["contigs"]
    region = source.get("region")
    nothing = "none" if _annotated(card) else NO_ANNOTATION
    facts = [
        ("Organism", source.get("organism")),
        ("Accession", source.get("accession")),
        ("Citation", source.get("citation")),
        ("Source", source.get("source") or f"{source.get('kind', 'file')}: {source.get('name', '')}"),
        ("Licence", source.get("licence") or "not stated by the source"),
        ("File", f"{source['file']}, {source['bytes']:,} bytes" if {"file", "bytes"} <= source.keys() else None),
        ("SHA-256", source.get("sha256")),
        ("Annotation", source.get("annotation")),
        ("SHA-256 of the annotation", source.get("annotation_sha256")),
        ("Region used", f"{region.get('contig') or 'first contig'}, {_span(region)}" if region else None),
        ("Length", f"{count(card['bases'], 'base')} in {count(len(contigs), 'contig')}"),
        ("Shape", _shape(card["circular"])),
        ("GC", percent(card["gc"], 1)),
        ("N and IUPAC letters", f"{card['n']:,}"),
        ("Soft-masked", percent(card["soft_masked_share"], 1)),
        ("Genetic code", f"NCBI table {card['genetic_code']}"),
        ("Features", ", ".join(f"{n:,} {kind}" for kind, n in card.get("features", {}).items()) or nothing),
        ("CDS", _cds(cds) if cds and _annotated(card) else None),
    ]
    return [(k, v) for k, v in facts if v]


def _annotated(card: dict) -> bool:
    """Whether the genome came with an annotation, be it an empty one; cards of earlier versions do not say it."""
    return card.get("annotated", bool(card.get("features")))


def _span(region: dict) -> str:
    return f"bases {region['start'] + 1:,} to {region['end']:,}"


def _cds(cds: dict) -> str:
    kinds = (("joined", "joined"), ("pseudo", "pseudo"), ("partial", "partial"), ("crosses_origin", "over the origin"))
    parts = [f"{cds[key]:,} {word}" for key, word in kinds if cds.get(key)]
    return f"{cds['total']:,}" + (f", of these {', '.join(parts)}" if parts else "")


def _contigs(name: str, contigs: list[dict]) -> Table | None:
    """The longest contigs, when there are several."""
    if len(contigs) < 2:
        return None
    longest = sorted(contigs, key=lambda c: (-c["length"], c["contig"]))[:MOST_CONTIGS]
    rest = len(contigs) - len(longest)
    caption = f"The longest contigs; {rest:,} more not shown" if rest else "Contigs"
    columns = [Column("Contig", kind="text"), Column("Bases"), Column("Shape", kind="text")]
    rows = [
        [
            Cell(c["contig"]),
            Cell(f"{c['length']:,}", order=c["length"]),
            Cell("circular" if c["circular"] else "linear"),
        ]
        for c in longest
    ]
    return Table(f"contigs-{name}", caption, columns, rows)


def _shape(circular: bool) -> str:
    return "circular" if circular else "linear"
