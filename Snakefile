"""dnalm: from a genome to a report. `snakemake --cores 2 [--configfile config/my_study.yaml]`"""

from snakemake.utils import min_version

min_version("9.27")

# Snakemake merges --configfile into a `configfile:`; a study must hold only its own genomes, so the default study is
# read only when no other is given.
if not config:

    configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/genome.smk"


if STUDY.pretrain:

    include: "workflow/rules/windows.smk"
    include: "workflow/rules/pretrain.smk"
    include: "workflow/rules/annotate.smk"
    include: "workflow/rules/folds.smk"
    include: "workflow/rules/structures.smk"
    include: "workflow/rules/tracks.smk"
    include: "workflow/rules/variants.smk"
    include: "workflow/rules/observed.smk"
    include: "workflow/rules/samples.smk"
    include: "workflow/rules/few_labels.smk"
    include: "workflow/rules/compare.smk"


include: "workflow/rules/labelled.smk"
include: "workflow/rules/targets.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


wildcard_constraints:
    genome="|".join(SOURCES),
    figure="|".join(figures()),
    twin="|".join(TWINS),
    group="|".join(GROUPS),
    set="|".join(VARIANTS["sets"] if VARIANTS else []) or "none",
    map="|".join(VARIANTS["maps"] if VARIANTS else []) or "none",
    labelled="|".join(LABELLED) or "none",
    observed="|".join(OBSERVED) or "none",
    sample="|".join(SAMPLES) or "none",
    planted="|".join(PLANTED) or "none",
    compared="|".join(COMPARED) or "none",


rule all:
    default_target: True
    input:
        final_outputs(),


onsuccess:
    logger.info(f"Report: {RESULTS}/report.html")


onerror:
    logger.error("Something failed: the lines above name the rule and its log. Mend it and run the same command again.")
