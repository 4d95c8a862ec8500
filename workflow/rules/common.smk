"""Everything the rules share: the typed study, paths, and digests of the code that a result depends on."""

import ast
import functools
import hashlib
import json
import pathlib
import shutil
import sys

LIBRARY = pathlib.Path(workflow.basedir) / "workflow" / "scripts" / "dnalm"
sys.path.insert(0, str(LIBRARY.parent))

from dnalm.config import load_study
from dnalm.config_sections import Annotate
from dnalm.errors import DnalmError
from dnalm.io.remote import KEYS, is_remote, must_be_fetched, shown
from dnalm.trained import trained_model

try:
    STUDY = load_study(config)
except DnalmError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{STUDY.study}"
TARGETS = STUDY.annotate.targets if STUDY.annotate else {}
ELSEWHERE = STUDY.few_labels.elsewhere if STUDY.few_labels else {}
# Related genomes, of which variants are observed.
OBSERVED = {name: one.genome for name, one in STUDY.variants.observed.items()} if STUDY.variants else {}
# Samples that are scanned, and their genomes where they are not those of the study.
SAMPLES = {
    name: one.model_dump(mode="json") for name, one in (STUDY.variants.samples if STUDY.variants else {}).items()
}
SCANNED = {name: one.genome for name, one in STUDY.variants.samples.items() if one.genome} if STUDY.variants else {}
PLANTED = [name for name, one in SAMPLES.items() if one["plant"]]
COMPARED = [name for name, one in SAMPLES.items() if one["reference"]]
# What a genome is built from; its place among the others is a matter of the study.
SOURCES = {
    name: source.model_dump(mode="json", exclude_none=True, exclude={"group", "split"})
    for name, source in (STUDY.genomes | TARGETS | ELSEWHERE | OBSERVED | SCANNED).items()
}
# Genomes whose files are not on this machine.
try:
    REMOTE = [name for name, source in SOURCES.items() if is_remote(source)]
except DnalmError as error:
    raise WorkflowError(str(error))
GENOMES = list(STUDY.genomes)
# One genome is read where it lies, several are put end to end first.
GENOME_DIR = f"results/genomes/{GENOMES[0]}" if len(GENOMES) == 1 else f"{RESULTS}/genome"
STATE = f".state/{STUDY.study}"
# Whether the language model is trained here: somebody else's is neither trained nor scored.
OWN_MODEL = bool(STUDY.pretrain and not STUDY.pretrain.model)
# What is annotated has rules of its own, and the same places for metrics.
LABELS = STUDY.annotate.labels if STUDY.annotate and GENOMES else None
FIND_GENES, FIND_STRUCTURES, LABEL_TRACKS = (LABELS == kind for kind in ("genes", "structures", "tracks"))
# What is written of every target: what follows its name.
TARGET_FILES = ["gff3.gz", "faa", "ffn", "gbk.gz", "summary.tsv"]
PRETRAIN = STUDY.pretrain.model_dump(mode="json") if STUDY.pretrain else None
ANNOTATE = STUDY.annotate.model_dump(mode="json", exclude={"model", "targets"}) if STUDY.annotate else None
TWINS = ["dnalm_random_init"] + (["dnalm_memory_only"] if OWN_MODEL and not FIND_STRUCTURES else [])
FINDERS = ["dnalm", "pyrodigal_single", "pyrodigal_meta"]
if FIND_STRUCTURES:
    FINDERS = ["dnalm", "dnalm_alone", "closed_form"]
    if ANNOTATE["augustus"] and shutil.which("augustus"):
        FINDERS.append("augustus")
    elif ANNOTATE["augustus"]:
        logger.warning("annotate.augustus: AUGUSTUS is not installed, so that the comparison with it is left out")
elif STUDY.universal:
    FINDERS += ["dnalm_self"] + (["dnalm_transfer"] if STUDY.annotate.transfer else [])
else:
    FINDERS += ["closed_form", "longest_orf"]
GROUPS = list(dict.fromkeys(STUDY.groups.values()))
TOKENS = STUDY.tokens.model_dump(mode="json")
COMPARE = STUDY.compare.model_dump(mode="json") if STUDY.compare else None
FEW_LABELS = STUDY.few_labels.model_dump(mode="json") if STUDY.few_labels else None
VARIANTS = STUDY.variants.model_dump(mode="json") if STUDY.variants else None
# What scores know without labels is asked where genes are in one piece, which frames are predicted of.
ZERO_SHOT = bool(VARIANTS and VARIANTS["zero_shot"] and not FIND_STRUCTURES)
# Variants with labels, by name.
LABELLED = VARIANTS["labelled"] if VARIANTS else {}
RATIOS = ["dnalm", "markov_mixture", "flank_counts"]
SCORED = ["test"] if STUDY.pretrain and STUDY.pretrain.final else ["validation", "test"]
SEEDS = [STUDY.seed + i for i in range(STUDY.pretrain.seeds if STUDY.pretrain else 0)]
SPLITS = STUDY.splits.model_dump(mode="json")
# Whether held-out windows that resemble training blocks are taken out of the splits, and what looks for them.
FILTER_LEAKAGE = SPLITS["leakage"] == "filter"
LEAKAGE_CODE = ["sequence/leakage.py"] + ["tasks/leakage_alignment.py"] * (SPLITS["leakage_by"] == "minimap2")
EVALUATE = STUDY.evaluate.model_dump(mode="json")


def refuse_other_source(genome, source):
    """Stop if a genome directory, which studies share, was built from another source than this study's."""
    record = pathlib.Path(f"results/genomes/{genome}/provenance.json")
    built = json.loads(record.read_text()).get("requested", source) if record.exists() else source
    if shown(built) != shown(source):
        raise WorkflowError(
            f"{record.parent} was built from {shown(built)}, this study wants {shown(source)}. "
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
def imported_by(module):
    """Files of dnalm that a module (path below the library) names in its own imports."""
    found = []
    for node in ast.walk(ast.parse((LIBRARY / module).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dnalm"):
            base = pathlib.PurePosixPath(*node.module.split(".")[1:])
            paths = (f"{base}.py", *(f"{base}/{alias.name}.py" for alias in node.names))
            found += [path for path in paths if (LIBRARY / path).is_file()]
    return found


@functools.cache
def imports_of(module):
    """Files of dnalm that a module imports, itself included, through all levels."""
    found, queue = set(), [module]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += imported_by(name)
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
    return existing(*(SOURCES[wildcards.genome].get(key) for key in ("path", "annotation", "aliases", "report")))


def downloaded_source(wildcards):
    """What decides which files are downloaded; what is made of them is no reason to ask for them again."""
    return {key: value for key, value in SOURCES[wildcards.genome].items() if key in KEYS}


def download_folder(wildcards):
    """The folder of a genome's downloaded files; nothing for those that are here."""
    return f"results/downloads/{wildcards.genome}" if wildcards.genome in REMOTE else []


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
    twins = STUDY.annotate and STUDY.annotate.twins and not STUDY.universal
    return FINDERS + (TWINS if twins else [])


def finder_files():
    """Gene calls of every finder."""
    own = [method for method in all_finders() if method != "dnalm_transfer"]
    folds = [f"{RESULTS}/folds/{group}/transfer/{name}" for name, group in STUDY.groups.items()]
    transferred = [f"{folder}/finders/dnalm_transfer.parquet" for folder in folds]
    return genes_of(*(f"finders/{method}.parquet" for method in own)) + transferred * ("dnalm_transfer" in FINDERS)


def probability_files():
    """Class probabilities of the model and its twins."""
    methods = [method for method in all_finders() if method in ("dnalm", *TWINS) and not STUDY.universal]
    return genes_of(*(f"probabilities/{method}.npz" for method in methods))


def fold_of(wildcards):
    """The folder of the fold that holds a genome out."""
    return f"{RESULTS}/folds/{STUDY.groups[wildcards.genome]}"


def lessons(group=None):
    """What the genomes teach that are not of ``group``, by group."""
    names = {g: [n for n in GENOMES if STUDY.groups[n] == g] for g in GROUPS if g != group}
    return {g: [f"{RESULTS}/annotate/lessons/{name}.npz" for name in mine] for g, mine in names.items()}


def track_methods():
    """Methods that learn the tracks of the study."""
    return ["dnalm", "kmer_logistic", *(TWINS if STUDY.annotate.twins else [])]


def track_probabilities():
    """Probabilities of the labels of every method."""
    return genes_of(*(f"probabilities/{method}.npz" for method in track_methods()))


def track_files():
    """The user's own BED files, as far as they exist; the rule itself finds the others, or explains a missing one."""
    paths = [track.path for track in STUDY.annotate.tracks.values() if track.path]
    return existing(*dict.fromkeys(path.replace("{genome}", name) for path in paths for name in GENOMES))


def track_outputs(kind):
    """Names of the BED files of the tracks, or of the bigWig files, of which a stranded track has two."""
    ends = (".plus", ".minus") if kind == "bw" and STUDY.annotate.stranded else ("",)
    return [f"tracks/{track}{end}.{kind}" for track in STUDY.annotate.tracks for end in ends]


def annotations():
    """What the annotation stage calls in the genomes, in the field's formats."""
    if LABEL_TRACKS:
        return genes_of(*track_outputs("bed.gz"), *track_outputs("bw"))
    return genes_of("genes.gff3.gz", "proteins.faa") if FIND_GENES or FIND_STRUCTURES else []


def other_seeds():
    """Scores of the language models from other seeds than the first."""
    return [f"{RESULTS}/pretrain/seeds/{seed}/scores.npz" for seed in SEEDS[1:]]


def language_scores():
    """Score files of the language model and what it is compared with, by method."""
    methods = ["markov_orders", "markov_mixture", "flank_counts"]
    if OWN_MODEL:
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


def existing(*paths):
    """Files of the user's as far as they exist here; the rule itself finds the others, or explains a missing one."""
    return [path for path in paths if path and pathlib.Path(path).is_file()]


def fetched_variants(wildcards):
    """The folder of a file of variants that a URL was given of; nothing for one that is here."""
    wanted = must_be_fetched(VARIANTS["sets"][wildcards.set]["vcf"])
    return f"{RESULTS}/variants/downloads/{wildcards.set}" if wanted else []


def variant_genome(kind, wildcards, *names):
    """The directory of the genome that a set or map of variants is of, or files of it."""
    wanted = VARIANTS[kind][getattr(wildcards, {"sets": "set", "maps": "map"}.get(kind, kind))]
    folder = f"results/genomes/{wanted['genome'] or GENOMES[0]}"
    return [f"{folder}/{name}" for name in names] if names else folder


def labelled_files(wildcards):
    """The user's own files of variants with labels, as far as they exist; the rule itself finds the others."""
    wanted = LABELLED[wildcards.labelled]
    beside = [one[kind] for one in wanted["also"] for kind in ("table", "vcf")]
    beside += [one[kind] for one in wanted["lookup"].values() for kind in ("table", "wig")]
    beside += wanted["predict"]
    return existing(wanted["table"], wanted["vcf"], wanted["aliases"], wanted["label"]["table"], *beside)


def language_model_of(wildcards):
    """The language model, if variants with labels are to be learned from with what it says."""
    asked = STUDY.variants.labelled[wildcards.labelled].needs_a_model
    return [f"{RESULTS}/pretrain/model/model.safetensors"] * asked


def labelled_outputs(*kinds):
    """Files of all variants with labels, by what follows the name."""
    return [f"{RESULTS}/variants/labelled/{name}.{kind}" for name in LABELLED for kind in kinds]


def observed_reference(wildcards, *names):
    """The directory of the genome that a related one is compared with, or files of it."""
    folder = f"results/genomes/{VARIANTS['observed'][wildcards.observed]['reference'] or GENOMES[0]}"
    return [f"{folder}/{name}" for name in names] if names else folder


def relative_of(wildcards):
    """The first related genome that the genome of a set of variants was compared with; nothing if there is none."""
    genome = VARIANTS["sets"][wildcards.set]["genome"] or GENOMES[0]
    related = VARIANTS["observed"].items()
    return next((name for name, one in related if (one["reference"] or GENOMES[0]) == genome), None)


def tolerance_files(wildcards):
    """What that taught of tolerated changes, for the score of a set of variants."""
    name = relative_of(wildcards)
    return [f"{RESULTS}/variants/observed/{name}.{kind}" for kind in ("scorer.npz", "callable.bed")] if name else []


def variant_tables(name):
    """Tables of metrics or comparisons that the stage of variants is made of."""
    tables = [f"{RESULTS}/variants/zero_shot/{name}.tsv"] if ZERO_SHOT else []
    tables += [f"{RESULTS}/variants/observed/{query}.{name}.tsv" for query in OBSERVED]
    return tables + [f"{RESULTS}/variants/samples/{sample}.{name}.tsv" for sample in PLANTED]


def sample_of(wildcards):
    """The name of a sample, whichever wildcard says it."""
    return next(wildcards[key] for key in ("sample", "planted", "compared") if key in wildcards.keys())


def sample_source(wildcards, *names):
    """The directory of the genome that a sample is, before anything is planted, or files of it."""
    name = sample_of(wildcards)
    folder = f"results/genomes/{SAMPLES[name]['use'] or name}"
    return [f"{folder}/{file}" for file in names] if names else folder


def sample_reference(wildcards, *names):
    """The directory of the genome that a sample is compared with, or files of it; nothing without."""
    folder = SAMPLES[sample_of(wildcards)]["reference"]
    return [f"results/genomes/{folder}/{file}" for file in names if folder] if names else f"results/genomes/{folder}"


def scanned_genome(wildcards):
    """Files of the genome that is scanned."""
    names, name = ("genome.json", "codes.npy", "contigs.parquet"), sample_of(wildcards)
    if name in PLANTED:
        return [f"{RESULTS}/variants/samples/{name}/{file}" for file in names]
    return sample_source(wildcards, *names)


def planted_changes(wildcards):
    """The table of what was planted in a sample; nothing without."""
    return [f"{RESULTS}/variants/samples/{name}/planted.parquet" for name in PLANTED if name == sample_of(wildcards)]


def planted_files(wildcards, kind):
    """A file of a sample that there is only with planted changes; nothing without."""
    return [f"{RESULTS}/variants/samples/{name}.{kind}" for name in PLANTED if name == sample_of(wildcards)]


def real_differences(wildcards):
    """Real differences to plant; nothing without."""
    name = SAMPLES[wildcards.planted]["plant"]["real"]
    return [f"{RESULTS}/variants/observed/{name}.differences.parquet"] if name else []


def first_map():
    """The map of substitutions that is drawn."""
    return next(iter(VARIANTS["maps"]))


def map_genome():
    """The genome that it is of."""
    return VARIANTS["maps"][first_map()]["genome"] or GENOMES[0]


def variant_files():
    """What is asked for of variants: scored files and maps."""
    if not VARIANTS:
        return []
    scored = [f"{RESULTS}/variants/{name}.{kind}" for name in VARIANTS["sets"] for kind in ("vcf.gz", "parquet")]
    scored += [f"{RESULTS}/variants/observed/{name}.{kind}" for name in OBSERVED for kind in ("vcf.gz", "scorer.npz")]
    scored += [f"{RESULTS}/variants/samples/{name}.{kind}" for name in SAMPLES for kind in ("vcf.gz", "summary.tsv")]
    scored += [f"{RESULTS}/variants/samples/{name}.differences.vcf.gz" for name in COMPARED]
    kinds = ("parquet", "constraint.bw", "entropy.bw")
    scored += labelled_outputs("parquet", "comparisons.tsv", "left_out.tsv", "model.json", "unlabelled.tsv.gz")
    return scored + [f"{RESULTS}/variants/maps/{name}.{kind}" for name in VARIANTS["maps"] for kind in kinds]


def few_labels_folders():
    """One folder per gene finder that learned from few labels."""
    return [
        f"{RESULTS}/few_labels/arms/{arm}/{genes}/seed{STUDY.seed + i}"
        for arm in STUDY.few_labels.arms
        for genes in FEW_LABELS["genes"]
        for i in range(FEW_LABELS["seeds"])
    ]


def figures():
    """Names of the study's figures."""
    if STUDY.universal:
        return ["finders_by_genome", "gene_precision_recall", "splits_and_leakage"] + (["targets"] if TARGETS else [])
    names = ["learning_curve", "bits_by_region"] if OWN_MODEL else []
    names += ["splits_and_leakage"] if STUDY.pretrain else []
    if FIND_GENES:
        names += ["gene_precision_recall", *(["browser"] if OWN_MODEL else []), "calibration"]
    names += ["gene_structures"] if FIND_STRUCTURES else []
    names += ["track_precision_recall"] if LABEL_TRACKS else []
    names += ["architectures"] if STUDY.compare else []
    names += ["context_cost"] if STUDY.compare and STUDY.compare.contexts else []
    names += ["few_labels"] if STUDY.few_labels else []
    names += ["zero_shot_variants"] if ZERO_SHOT else []
    names += ["substitution_map"] if VARIANTS and VARIANTS["maps"] else []
    names += [f"labelled_{name}" for name in LABELLED]
    names += [f"scanned_{name}" for name in SAMPLES]
    return names + (["targets"] if TARGETS else [])


def caption_of(figure):
    """The caption of a figure; all variants with labels share one, and so do all samples."""
    return next((kind for kind in ("labelled", "scanned") if figure.startswith(f"{kind}_")), figure)


def stages():
    """Stages with metrics; a study that only annotates targets, of which nobody knows the truth, has none."""
    there = {
        "pretrain": STUDY.pretrain and not STUDY.universal,
        "annotate": STUDY.annotate and GENOMES,
        "compare": STUDY.compare,
        "few_labels": STUDY.few_labels,
        "variants": ZERO_SHOT or OBSERVED or PLANTED,
    }
    return [name for name in there if there[name]]


def gene_finder_model():
    """Folder of the networks that call the genes of the targets."""
    if STUDY.universal and not STUDY.annotate.model:
        return f"{RESULTS}/annotate/model"
    try:
        return str(trained_model(STUDY.annotate.model))
    except DnalmError as error:
        raise WorkflowError(str(error))


def each_target(*suffixes):
    """Files of every target, by what follows its name."""
    return [f"{RESULTS}/annotate/targets/{name}.{suffix}" for name in TARGETS for suffix in suffixes]


def final_outputs():
    """What `rule all` asks for."""
    table = [f"{RESULTS}/results-table.md"] if stages() else []
    return [f"{RESULTS}/report.html", *table, *annotations(), *variant_files(), *each_target(*TARGET_FILES)]
