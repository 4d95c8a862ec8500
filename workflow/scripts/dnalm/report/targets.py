"""What the report says of targets: genomes that genes were called in without anybody knowing the truth."""

from dnalm.figures.vocabulary import in_order, method_label
from dnalm.report.inputs import Inputs
from dnalm.report.markup import inline
from dnalm.report.numbers import MISSING, count, number, percent
from dnalm.report.tables import Cell, Column, Table
from dnalm.report.tiles import Tile

#: Targets that the summary names one by one.
MOST_NAMES = 5
#: Measures of the table of genes: name, and how a value is shown.
SHOWN = {
    "genes": ("Genes", lambda v: f"{v:,.0f}"), "genes_per_kb": ("Genes per kb", lambda v: number(v, 2)),
    "coding_share": ("Coding", lambda v: percent(v, 1)), "median_length": ("Median length", lambda v: f"{v:,.0f}"),
    "stops_inside": ("Stop codons inside", lambda v: f"{v:,.0f}"), "start_ATG": ("ATG", lambda v: percent(v, 1)),
    "start_GTG": ("GTG", lambda v: percent(v, 1)), "start_TTG": ("TTG", lambda v: percent(v, 1)),
    "start_other": ("Other starts", lambda v: percent(v, 1)),
    "without_site": ("No binding site", lambda v: percent(v, 1)),
    "partial_share": ("Cut off", lambda v: percent(v, 1)), "mean_score": ("Mean score", lambda v: number(v, 3)),
    "stops_shared": ("Stop codons that the other calls", lambda v: percent(v, 1)),
}  # fmt: skip
#: Measures of the table of sequences.
READ = {
    "bases": "Bases", "bases_n": "N and IUPAC letters", "contigs": "Contigs", "contigs_circular": "Circular",
    "contigs_without_genes": "Without genes", "contigs_too_short": "Too short for one",
}  # fmt: skip
#: Headline numbers: measure, label, what the share is of.
TILES = (
    ("coding_share", "Coding bases", "of all bases but N"),
    ("stops_shared", "Stop codons that Pyrodigal calls too", "of the called genes"),
    ("mean_score", "Mean score of the genes", "a probability"),
)
FILES = {
    "gff3.gz": ("Called genes with scores", "GFF3, bgzip"), "faa": ("Their proteins", "FASTA"),
    "ffn": ("The genes themselves", "FASTA"), "gbk.gz": ("Genome, genes and proteins", "GenBank, gzip"),
    "summary.tsv": ("What was read and found", "TSV"), "calls.parquet": ("Called genes as a table", "Parquet"),
}  # fmt: skip


def section(inputs: Inputs) -> dict | None:
    """What the template needs of the targets; None in a study without them."""
    if not inputs.targets:
        return None
    methods = in_order(set(inputs.summaries["method"]) - {""})
    drawn = [inputs.figures[name] for name in ("targets",) if name in inputs.figures]
    return {
        "trained": trained_on(inputs), "warnings": [inline(text) for text in warnings(inputs)], "figures": drawn,
        "tables": [genes_table(inputs, methods), read_table(inputs)], "compared": len(methods) > 1,
    }  # fmt: skip


def trained_on(inputs: Inputs) -> str:
    """Which genomes the networks have seen."""
    groups = inputs.runs["targets"].get("model", {}).get("genomes", {})
    names = [name for group in groups.values() for name in group]
    return f"{count(len(names), 'genome')}: {', '.join(names)}" if names else "the model does not say which"


def warnings(inputs: Inputs) -> list[str]:
    """What asks for a look."""
    notes = inputs.summaries[inputs.summaries["note"] != ""]
    told = [f"**{row.target}**: {row.note}." for row in notes.itertuples(index=False)]
    for name in inputs.targets:
        if not _value(inputs, name, "dnalm", "genes"):
            told.append(f"**{name}**: no gene was called.")
        if _value(inputs, name, "dnalm", "stops_inside"):
            told.append(f"**{name}**: stop codons inside of called genes, which must not be. Please report this.")
    return told


def lead(inputs: Inputs) -> list[list[str]]:
    """The summary: genes of every target, or of all, and every warning."""
    if not inputs.targets:
        return []
    names = list(inputs.targets)
    said = [_sentence(inputs, name) for name in names[:MOST_NAMES]]
    if len(names) > MOST_NAMES:
        said.append(f"{count(len(names) - MOST_NAMES, 'more target')} in the table below.")
    return [said, *([text] for text in warnings(inputs))]


def _sentence(inputs: Inputs, name: str) -> str:
    """Genes of one target, and how many stop codons another finder calls too."""
    genes, bases = int(_value(inputs, name, "dnalm", "genes")), int(_value(inputs, name, "", "bases"))
    text = f"In {name} ({count(bases, 'base')}) {count(genes, 'gene')} {'was' if genes == 1 else 'were'} called"
    if genes:
        density, coding = (_value(inputs, name, "dnalm", m) for m in ("genes_per_kb", "coding_share"))
        text += f", {number(density, 2)} per 1,000 bases; {percent(coding, 1)} of the bases are coding"
    for other in in_order(set(inputs.summaries["method"]) - {"", "dnalm"}):
        theirs, shared = _value(inputs, name, other, "genes"), _value(inputs, name, "dnalm", "stops_shared")
        if theirs is not None and shared is not None:
            text += f". {method_label(other)} calls {theirs:,.0f}, among them {percent(shared, 1)} of these stop codons"
    return f"{text}."


def tiles(inputs: Inputs) -> list[Tile]:
    """The headline numbers of a study of targets alone."""
    names = list(inputs.targets)
    genes = sum(int(_value(inputs, name, "dnalm", "genes")) for name in names)
    bases = sum(int(_value(inputs, name, "", "bases")) for name in names)
    found = [Tile("Genes called", f"{genes:,}", f"in {count(len(names), 'genome')}, {count(bases, 'base')}")]
    for measure, label, of in TILES:
        values = [v for name in names if (v := _value(inputs, name, "dnalm", measure)) is not None]
        if values:
            low, high = percent(min(values), 1), percent(max(values), 1)
            found.append(Tile(label, low if low == high else f"{low} to {high}", of))
    return found


def genes_table(inputs: Inputs, methods: list[str]) -> Table:
    """What the genes of every target are like by finder."""
    measures = [m for m in SHOWN if (inputs.summaries["measure"] == m).any()]
    rows = []
    for name in inputs.targets:
        for method in methods:
            if _value(inputs, name, method, "genes") is None:
                continue
            values = [_value(inputs, name, method, measure) for measure in measures]
            cells = [
                Cell(MISSING if v is None else SHOWN[m][1](v), order="" if v is None else v)
                for m, v in zip(measures, values, strict=True)
            ]
            rows.append([Cell(name), Cell(method_label(method)), *cells])
    columns = [Column("Target", kind="text"), Column("Finder", kind="text"), *(Column(SHOWN[m][0]) for m in measures)]
    return Table("targets", "The called genes of every target", columns, rows)


def read_table(inputs: Inputs) -> Table:
    """Contigs and bases of every target, all accounted for."""
    rows = []
    for name in inputs.targets:
        values = [_value(inputs, name, "dnalm" if m == "contigs_without_genes" else "", m) for m in READ]
        rows.append([Cell(name), *(Cell(MISSING if v is None else f"{v:,.0f}", order=v or 0) for v in values)])
    columns = [Column("Target", kind="text"), *(Column(label) for label in READ.values())]
    return Table("targets-read", "What was read of every target", columns, rows)


def files(inputs: Inputs) -> list[tuple[str, str, str]]:
    """Rows of the table of files."""
    return [
        (f"annotate/targets/{name}.{suffix}", f"{what}, {name}", form)
        for name in inputs.targets
        for suffix, (what, form) in FILES.items()
    ]


def _value(inputs: Inputs, target: str, method: str, measure: str) -> float | None:
    table = inputs.summaries
    here = (table["target"] == target) & (table["method"] == method) & (table["measure"] == measure)
    values = table.loc[here, "value"].dropna()
    return None if values.empty else float(values.iloc[0])
