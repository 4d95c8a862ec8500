"""Everything the rules share: the typed study, paths, and digests of the code that a result depends on."""

import ast
import functools
import hashlib
import json
import pathlib
import sys

LIBRARY = pathlib.Path(workflow.basedir) / "workflow" / "scripts" / "dnalm"
sys.path.insert(0, str(LIBRARY.parent))

from dnalm.config import load_study
from dnalm.errors import DnalmError

try:
    STUDY = load_study(config)
except DnalmError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{STUDY.study}"
# What a genome is built from; its place among the others is a matter of the study.
SOURCES = {
    name: source.model_dump(mode="json", exclude_none=True, exclude={"group", "split"})
    for name, source in STUDY.genomes.items()
}
GENOMES = list(SOURCES)
# One genome is read where it lies, several are put end to end first.
GENOME_DIR = f"results/genomes/{GENOMES[0]}" if len(GENOMES) == 1 else f"{RESULTS}/genome"
STATE = f".state/{STUDY.study}"
TWINS = ["dnalm_random_init"] + ([] if STUDY.pretrain.model else ["dnalm_memory_only"])
FINDERS = ["dnalm", "pyrodigal_single", "pyrodigal_meta", "closed_form", "longest_orf"]
PRETRAIN = STUDY.pretrain.model_dump(mode="json")
ANNOTATE = STUDY.annotate.model_dump(mode="json") if STUDY.annotate else None
TOKENS = STUDY.tokens.model_dump(mode="json")
COMPARE = STUDY.compare.model_dump(mode="json") if STUDY.compare else None
SCORED = ["test"] if STUDY.pretrain.final else ["validation", "test"]
SEEDS = [STUDY.seed + i for i in range(STUDY.pretrain.seeds)]
EVALUATE = STUDY.evaluate.model_dump(mode="json")


def refuse_other_source(genome, source):
    """Stop if a genome directory, which studies share, was built from another source than this study's."""
    record = pathlib.Path(f"results/genomes/{genome}/provenance.json")
    built = json.loads(record.read_text()).get("requested", source) if record.exists() else source
    if built != source:
        raise WorkflowError(
            f"{record.parent} was built from {built}, this study wants {source}. "
            "Give the genome another name in this study, or delete the folder"
        )


for name, source in SOURCES.items():
    refuse_other_source(name, source)


def log_of(rule):
    """Log file of a rule of this study."""
    return f"{RESULTS}/logs/{rule}.log"


def benchmark_of(rule):
    """Time and memory of a rule of this study."""
    return f"{RESULTS}/benchmarks/{rule}.tsv"


@functools.cache
def imports_of(module):
    """Files of dnalm that a module (path below the library) imports, itself included, through all levels."""
    found, queue = set(), [module]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found.add(name)
        for node in ast.walk(ast.parse((LIBRARY / name).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dnalm"):
                base = pathlib.PurePosixPath(*node.module.split(".")[1:])
                for path in (f"{base}.py", *(f"{base}/{alias.name}.py" for alias in node.names)):
                    if (LIBRARY / path).is_file():
                        queue.append(path)
    return sorted(found)


@functools.cache
def code_digest(*modules):
    """Digest of modules and all that they import: a `params:` that reruns a rule when its science changes."""
    digest = hashlib.sha256()
    for name in sorted({path for module in modules for path in imports_of(module)}):
        digest.update(name.encode() + b"\0" + (LIBRARY / name).read_bytes())
    return digest.hexdigest()[:16]


def source_files(wildcards):
    """The user's own files of a genome, as far as they exist; the rule itself explains a missing one."""
    paths = (SOURCES[wildcards.genome].get(key) for key in ("path", "annotation", "aliases"))
    return [path for path in paths if path and pathlib.Path(path).is_file()]


def genome_files(*names):
    """Files of the directory of the study's genome, be it one or several put end to end."""
    return [f"{GENOME_DIR}/{name}" for name in names]


def each_genome(pattern):
    """A pattern with {genome}, filled with every genome of the study."""
    return [pattern.replace("{genome}", name) for name in GENOMES]


def genes_of(*names):
    """Files of the gene stage that every genome has."""
    return [path for name in names for path in each_genome(f"{RESULTS}/annotate/{{genome}}/{name}")]


def all_finders():
    """Methods that call genes in this study."""
    return FINDERS + (TWINS if STUDY.annotate and STUDY.annotate.twins else [])


def finder_files():
    """Gene calls of every finder."""
    return genes_of(*(f"finders/{method}.parquet" for method in all_finders()))


def probability_files():
    """Class probabilities of the model and its twins."""
    methods = [method for method in all_finders() if method in ("dnalm", *TWINS)]
    return genes_of(*(f"probabilities/{method}.npz" for method in methods))


def other_seeds():
    """Scores of the language models from other seeds than the first."""
    return [f"{RESULTS}/pretrain/seeds/{seed}/scores.npz" for seed in SEEDS[1:]]


def language_scores():
    """Score files of the language model and what it is compared with, by method."""
    methods = ["markov_orders", "markov_mixture", "flank_counts"]
    if not STUDY.pretrain.model:
        methods = ["dnalm"] + methods + (["dnalm_recounted"] if STUDY.pretrain.recount else [])
    return {method: f"{RESULTS}/pretrain/scores/{method}.npz" for method in methods}


def arm_settings(arm):
    """The tokens and pretrain sections of an arm of the comparison."""
    tokens, pretrain = STUDY.arm(arm)
    return {"tokens": tokens.model_dump(mode="json"), "pretrain": pretrain.model_dump(mode="json")}


def arm_folders():
    """One folder per training of the comparison."""
    seeds = [STUDY.seed + i for i in range(COMPARE["seeds"])]
    return [f"{RESULTS}/compare/arms/{arm}/seed{seed}" for arm in COMPARE["arms"] for seed in seeds]


def figures():
    """Names of the study's figures."""
    ours = not STUDY.pretrain.model  # else there is no training, and no score of bases, to draw
    names = (["learning_curve", "bits_by_region"] if ours else []) + ["splits_and_leakage"]
    if STUDY.annotate:
        names += ["gene_precision_recall", *(["browser"] if ours else []), "calibration"]
    names += ["architectures"] if STUDY.compare else []
    return names + (["context_cost"] if STUDY.compare and STUDY.compare.contexts else [])


def stages():
    """Stages with metrics."""
    return ["pretrain"] + (["annotate"] if STUDY.annotate else []) + (["compare"] if STUDY.compare else [])


def final_outputs():
    """What `rule all` asks for."""
    genes = genes_of("genes.gff3.gz") if STUDY.annotate else []
    return [f"{RESULTS}/report.html", f"{RESULTS}/results-table.md", *genes]
