"""The sections of a study: keys, meanings, defaults and ranges (see `dnalm.config`)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dnalm.config_base import Positive, Section
from dnalm.config_genomes import GenomeSource

#: Architectures that read one way; the others read both sides at once.
CAUSAL = ("two_sided", "decoder", "hyena", "ssm")


class Splits(Section):
    """How the genomes are divided into training, validation and test blocks."""

    by: Literal["block", "contig", "position", "genome"] = Field(
        "block",
        description="What is assigned: shuffled blocks of bases, shuffled contigs, shuffled groups of whole "
        "genomes (genome); or the first, the next and the last part of each genome to training, validation and test "
        "(position).",
    )
    block: Positive = Field(20_000, ge=1000, description="Bases per block.")
    test: float = Field(0.2, gt=0, lt=1, description="Share of the units that nobody looks at before the end.")
    validation: float = Field(0.1, gt=0, lt=1, description="Share of the units that all choices are made on.")
    gap: int = Field(1000, ge=0, description="Bases left unused between blocks of different splits.")
    test_contigs: list[str] = Field(
        [],
        description="Contigs that a split by contig tests on, instead of a share by chance; `genome:contig` in a "
        "study of several genomes.",
    )
    validation_contigs: list[str] = Field([], description="The same for validation.")
    leakage: Literal["report", "filter"] = Field(
        "report",
        description="What to do with held-out windows that resemble a training block: say which they are, or leave "
        "them out of validation and test (not with annotate.finder universal).",
    )
    leakage_by: Literal["seeds", "minimap2"] = Field(
        "seeds",
        description="How resemblance is found: exact 31-mers and ungapped extension, or alignments with gaps by the "
        "program minimap2; where that is not installed seeds are used, with a warning.",
    )
    leakage_share: float = Field(
        0.2, gt=0, le=1, description="Share of a window that a match covers from which on `filter` leaves it out."
    )

    @model_validator(mode="after")
    def _something_left(self):
        if self.test + self.validation >= 0.95:
            raise ValueError("test + validation must leave at least 5 % for training")
        if self.gap * 2 >= self.block:
            raise ValueError("gap must be less than half a block")
        if (self.test_contigs or self.validation_contigs) and self.by != "contig":
            raise ValueError(f"test_contigs and validation_contigs go with by: contig, not with {self.by}")
        if both := sorted(set(self.test_contigs) & set(self.validation_contigs)):
            raise ValueError(f"{', '.join(both)} cannot be in test_contigs and validation_contigs at once")
        return self


class Tokens(Section):
    """How sequence becomes tokens."""

    kind: Literal["base", "kmer_overlapping", "kmer", "bpe"] = Field(
        "base",
        description="Single bases; overlapping k-mers (DNABERT's); non-overlapping ones (Nucleotide Transformer's); "
        "byte-pair encoding learned on the training blocks (DNABERT-2's kind).",
    )
    k: int = Field(6, ge=2, le=8, description="Length of the k-mers.")
    vocabulary: int = Field(1024, ge=16, le=65_536, description="Tokens of the byte-pair encoding.")


class Optimiser(Section):
    """Keys shared by all trainings."""

    bases_seen: Positive | None = Field(5_000_000, description="Length of the training in bases; reproducible.")
    budget_minutes: float | None = Field(
        None, gt=0, description="Length in CPU minutes instead; for comparisons, not reproducible."
    )
    sampling: Literal["base", "genome"] = Field(
        "base",
        description="How windows are drawn in a study of several genomes: every base alike, so that long genomes give "
        "more of them, or every genome alike.",
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="AdamW for all weights, or Muon for the matrices inside blocks and AdamW for the rest."
    )
    learning_rate: float = Field(2e-3, gt=0, le=1, description="Peak learning rate.")
    weight_decay: float = Field(0.05, ge=0, le=1, description="Decoupled weight decay of matrices.")
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    warmup_steps: int = Field(50, ge=0, description="Steps of linear warm-up.")
    decay_fraction: float = Field(0.5, ge=0, le=1, description="Last part of the training with linear decay to zero.")
    average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decay per step of the running average of the weights over the last half of the training, which is "
        "then validated and kept; 0 for none.",
    )
    patience: Positive = Field(5, description="Validations without gain before the training stops.")
    checkpoint_seconds: float = Field(30.0, gt=0, description="Seconds between checkpoints.")
    tensorboard: bool = Field(
        False, description="Also write TensorBoard files beside log.csv; needs `pip install tensorboard`."
    )
    micro_batches: Positive = Field(
        1, description="Parts that each process cuts its share of a step into, to need less memory."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32",
        description="Number format of training steps: float32, bfloat16 (mixed precision), or auto for bfloat16 where "
        "it is faster, so that the results depend on the machine.",
    )
    activation_checkpointing: bool = Field(
        False, description="Compute blocks again in the backward pass to need less memory; changes no result."
    )
    compile: bool = Field(False, description="Compile the network's blocks; needs a C++ compiler on CPUs.")
    fsdp: bool = Field(False, description="Share weights and optimiser state out among the processes of torchrun.")
    threads: Positive = Field(1, description="CPU threads; changes floating-point sums, so it is part of the science.")

    @model_validator(mode="after")
    def _one_length(self):
        if self.budget_minutes and "bases_seen" not in self.model_fields_set:
            self.bases_seen = None
        if (self.bases_seen is None) == (self.budget_minutes is None):
            raise ValueError("give bases_seen or budget_minutes, one of them")
        if self.fsdp and (self.compile or self.optimizer == "muon"):
            raise ValueError("fsdp goes neither with compile nor with muon")
        return self


class ForeignModel(Section):
    """A language model that somebody else has trained, in place of one of this study."""

    hf: str = Field(
        description="Folder with a checkpoint of transformers, or the id of one on the Hugging Face hub: an encoder "
        "or a decoder with its tokenizer."
    )
    revision: str | None = Field(None, description="Commit, tag or branch on the hub.")
    download: bool = Field(False, description="Fetch the id from the hub; otherwise the network is never used.")
    trust_remote_code: bool = Field(False, description="Run Python code that comes with the checkpoint. Read it first.")


class Pretrain(Optimiser):
    """The language model and its training."""

    model: ForeignModel | None = Field(
        None, description="Somebody else's model, for the stages after this one; nothing is trained or scored here."
    )
    architecture: Literal["two_sided", "decoder", "hyena", "ssm", "transformer", "local", "dilated_conv", "hybrid"] = (
        Field(
            "two_sided",
            description="Network: sliding attention (two_sided), full causal attention (decoder), long convolution "
            "(hyena), state space (ssm); and, reading both sides at once, transformer, local, dilated_conv, hybrid.",
        )
    )
    objective: Literal["two_sided", "causal", "masked"] = Field(
        "two_sided",
        description="Causal from both ends plus their fusion (two_sided, single bases only), causal, or masked. "
        "The networks that read both sides at once learn by masking only.",
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "muon", description="Muon for the matrices inside the network and AdamW for the rest, or AdamW for everything."
    )
    learning_rate: float = Field(3e-3, gt=0, le=1, description="Peak learning rate.")
    weight_decay: float = Field(0.1, ge=0, le=1, description="Decoupled weight decay of matrices.")
    window: Positive = Field(512, ge=32, le=1_000_000, description="Bases per training window.")
    window_warmup: Positive | None = Field(
        None, description="Length of the first windows; it doubles until `window` over the first half of the training."
    )
    carry: int = Field(
        0,
        ge=0,
        description="Bases on each side of a window that are read first, without gradients, and whose state is carried "
        "into it; for two_sided and ssm over single bases.",
    )
    batch_windows: Positive = Field(8, description="Windows per step, whatever the number of devices.")
    validate_every: Positive = Field(500_000, description="Bases between validations.")
    width: Positive = Field(64, description="Channels of the network.")
    layers: Positive = Field(2, le=48, description="Blocks of attention and feed-forward.")
    heads: Positive = Field(2, description="Attention heads.")
    attention_span: Positive = Field(
        128, description="Tokens that a layer of two_sided looks back; of local, on each side."
    )
    positions: Literal["rotary", "sinusoidal"] = Field("rotary", description="Positions of transformer.")
    global_tokens: int = Field(4, ge=0, description="Learned tokens of local that see all and are seen by all.")
    kernel: Positive = Field(9, description="Tokens under a convolution of dilated_conv and hybrid; odd.")
    downsample: Positive = Field(4, description="Tokens per position of hybrid's attention.")
    state_size: Positive = Field(16, description="Hidden states per channel of ssm.")
    mask_rate: float = Field(0.15, gt=0, lt=1, description="Share of the tokens that the objective masked hides.")
    soft_mask_weight: float = Field(0.1, ge=0, le=1, description="Weight of soft-masked bases in the training loss.")
    memory_orders: list[Annotated[int, Field(ge=1, le=31)]] = Field(
        [2, 3, 4, 6, 8, 9, 10, 11, 12, 14, 16, 20],
        description="Context lengths of the n-gram memory; none for a model without.",
    )
    memory_flanks: list[tuple[Positive, Positive]] = Field(
        [(2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (8, 8), (12, 5), (5, 12)],
        description="(left, right) context lengths of the two-sided n-gram memory; with each its mirror image.",
    )
    memory_megabytes: Positive | None = Field(
        None,
        description="Fixed size of the memory, for genomes beyond about 100 Mb: counts in a hash table. Without it the "
        "memory is exact and takes 5 bytes a base.",
    )
    feature_dropout: float = Field(0.1, ge=0, lt=1, description="Share of windows that train without the memory.")
    reading_frames: bool = Field(
        True,
        description="Tell a model over single bases how long each of the six reading frames has been open, by the stop "
        "codons of the genome's genetic code.",
    )
    final: bool = Field(
        False,
        description="Train on the validation part too, for the length that `bases_seen` says, and score the test part "
        "alone: for the last run, when everything has been chosen.",
    )
    recount: bool = Field(
        False,
        description="Also score with a memory that is counted anew on the whole genome, held-out bases included but "
        "each base's own n-grams left out, without training: `dnalm_recounted`.",
    )
    seeds: Positive = Field(1, description="Language models to train, from `seed` and the numbers after it.")

    @model_validator(mode="after")
    def _architecture_and_objective_fit(self):
        causal = self.architecture in CAUSAL
        if causal == (self.objective == "masked"):
            other = "causal or two_sided" if causal else "masked"
            raise ValueError(f"architecture {self.architecture} learns with objective {other}, not {self.objective}")
        if self.window_warmup and (self.budget_minutes or self.window_warmup > self.window):
            raise ValueError("window_warmup needs bases_seen, and must not be longer than window")
        if self.carry and self.architecture not in ("two_sided", "ssm"):
            raise ValueError(f"architecture {self.architecture} cannot carry a state; use two_sided or ssm")
        return self

    @model_validator(mode="after")
    def _shape_fits(self):
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not a multiple of twice the {self.heads} heads")
        flanks = set(self.memory_flanks)
        if any((right, left) not in flanks for left, right in flanks):
            raise ValueError("memory_flanks needs the mirror image (right, left) of every (left, right)")
        if any(left != right and min(left, right) < 5 for left, right in flanks):
            raise ValueError("memory_flanks of unequal lengths must be at least 5 long on both sides")
        return self


class Track(Section):
    """One kind of labelled intervals: a BED file, or features of the study's own annotation."""

    path: str | None = Field(
        None,
        description="BED file, plain, gzip or bgzip, here or in a folder of DNALM_DATA. In a study of several genomes "
        "`{genome}` in it stands for the name of each; without it the contigs are called `genome:contig`.",
    )
    feature: str | None = Field(
        None, min_length=1, description="Instead of a file: features of this type (tRNA, say) in the annotation."
    )
    aliases: str | None = Field(None, description="Table of contig names for `path`, as that of a genome.")
    min_length: Positive = Field(20, description="Shortest interval that is called, in bases.")
    merge_gap: int = Field(10, ge=0, description="Called intervals with at most this many bases between them are one.")

    @model_validator(mode="after")
    def _one_source(self):
        if (self.path is None) == (self.feature is None):
            raise ValueError("give path or feature, one of them")
        if self.aliases and not self.path:
            raise ValueError("aliases are for the contig names of a `path`")
        return self


class Annotate(Optimiser):
    """Labels of every base by fine-tuning: genes, or tracks of the user's own."""

    labels: Literal["genes", "structures", "tracks"] = Field(
        "genes",
        description="What is annotated: genes in one piece (genes), genes with introns (structures), or intervals of "
        "`tracks`.",
    )
    tracks: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], Track] = Field(
        {}, description="Labels of your own by name, for labels tracks."
    )
    mode: Literal["multi_label", "multi_class"] = Field(
        "multi_label",
        description="Tracks that say nothing of each other, so that a base may have several; or classes, of which a "
        "base has one at most.",
    )
    priority: list[str] = Field(
        [], description="All tracks, the strongest first: who keeps a base that several claim; for mode multi_class."
    )
    stranded: bool = Field(False, description="Labels of each strand of its own; every interval then needs + or -.")
    finder: Literal["language_model", "universal"] = Field(
        "language_model",
        description="A language model that is fine-tuned on the genes of the training blocks; or, for bacteria, a "
        "finder that teaches itself on each genome and is judged by networks from all other groups of genomes, which "
        "takes the place of `splits`: every group is held out once.",
    )
    transfer: bool = Field(
        False,
        description="With finder universal: for every group also a language model that is pretrained and fine-tuned on "
        "the other groups alone, `dnalm_transfer`.",
    )
    bases_seen: Positive | None = Field(2_000_000, description="Length of the fine-tuning in bases; reproducible.")
    window: Positive = Field(2304, ge=96, multiple_of=3, description="Bases per window; a multiple of 3.")
    batch_windows: Positive = Field(2, description="Windows per step.")
    validate_every: Positive = Field(300_000, description="Bases between validations.")
    warmup_steps: int = Field(30, ge=0, description="Steps of linear warm-up.")
    min_length: Positive = Field(90, ge=30, description="Shortest gene that is called, in bases.")
    min_intron: int = Field(20, ge=4, description="Shortest intron in bases, for structures.")
    intron_model: bool = Field(
        False,
        description="Introns get a composition and lengths of their own, counted in the training blocks, and counts of "
        "rare words lean on those of shorter ones; for structures, where introns are many.",
    )
    augustus: str | None = Field(
        None,
        description="Species model of AUGUSTUS that finds genes for comparison, for structures; left out, with a "
        "warning, where the program is not installed.",
    )
    twins: bool = Field(
        True, description="Also fine-tune the random-init twin and, but for structures, the memory-only twin."
    )
    model: str | None = Field(
        None,
        min_length=1,
        description="Trained gene finder for `targets`: the name of a folder of resources/models, or a path to one.",
    )
    targets: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")], GenomeSource] = Field(
        {},
        description="Genomes by name in which genes are called with `model`; any FASTA or GenBank file, annotated or "
        "not. Keys as in `genomes.<name>`.",
    )

    @model_validator(mode="after")
    def _model_and_targets_go_together(self):
        if self.model and not self.targets:
            raise ValueError("model is for targets: name the genomes to annotate in `targets`")
        if self.targets and not self.model and self.finder != "universal":
            raise ValueError("targets need a trained gene finder: give its name or folder as `model`")
        for name, source in self.targets.items():
            if source.group or source.split:
                raise ValueError(f"targets.{name}: nothing is learned from a target, `group` and `split` mean nothing")
        return self

    @model_validator(mode="after")
    def _tracks_fit(self):
        if (self.labels == "tracks") != bool(self.tracks):
            raise ValueError("labels tracks needs `tracks`, and other labels have none")
        if self.priority and (self.mode != "multi_class" or sorted(self.priority) != sorted(self.tracks)):
            raise ValueError("priority names every track once, and is for mode multi_class")
        return self


class Arm(Section):
    """What one arm of a comparison changes; everything else is as in the study."""

    tokens: dict = Field({}, description="Keys of `tokens`.")
    pretrain: dict = Field({}, description="Keys of `pretrain`.")


class Compare(Section):
    """Language models side by side, on equal CPU time."""

    budget_minutes: float = Field(2.0, gt=0, description="CPU minutes of each training, counting included.")
    seeds: Positive = Field(3, description="Trainings of each arm, from `seed` and the numbers after it.")
    contexts: list[Positive] = Field(
        [], description="Window lengths at which time and memory of every architecture are measured; none to leave out."
    )
    arms: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Arm] = Field(
        min_length=1, description="Arms by name, each with the keys that it changes."
    )

    @model_validator(mode="after")
    def _names_are_free(self):
        taken = {"dnalm", "markov_mixture", "flank_counts"} & set(self.arms)
        if taken:
            raise ValueError(f"arms cannot be called {' or '.join(sorted(taken))}, which the tables use otherwise")
        return self


class Evaluate(Section):
    """Confidence intervals."""

    bootstrap: Positive = Field(1000, ge=10, description="Draws of the block bootstrap.")
    unit: Positive = Field(5000, description="Bases per resampled unit inside blocks.")
