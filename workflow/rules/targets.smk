"""Targets: genes of genomes that nobody need have annotated, called by a trained gene finder."""

if TARGETS:

    wildcard_constraints:
        target="|".join(TARGETS),

    rule find_target_genes:
        input:
            multiext("results/genomes/{target}/", "genome.json", "codes.npy", "contigs.parquet"),
            model=multiext(f"{gene_finder_model()}/", "config.json", "model.safetensors"),
        output:
            calls=f"{RESULTS}/annotate/targets/{{target}}.calls.parquet",
            facts=f"{RESULTS}/annotate/targets/{{target}}.run.json",
        log:
            log_of("find_target_genes/{target}"),
        benchmark:
            benchmark_of("find_target_genes/{target}")
        params:
            code=code_digest("genefinder/finder.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/find_target_genes.py"

    rule write_target_genes:
        input:
            multiext("results/genomes/{target}/", "genome.json", "codes.npy", "contigs.parquet"),
            fasta="results/genomes/{target}/genome.fa.gz",
            calls=f"{RESULTS}/annotate/targets/{{target}}.calls.parquet",
        output:
            gff=f"{RESULTS}/annotate/targets/{{target}}.gff3.gz",
            proteins=f"{RESULTS}/annotate/targets/{{target}}.faa",
            genes=f"{RESULTS}/annotate/targets/{{target}}.ffn",
            genbank=f"{RESULTS}/annotate/targets/{{target}}.gbk.gz",
        log:
            log_of("write_target_genes/{target}"),
        benchmark:
            benchmark_of("write_target_genes/{target}")
        params:
            code=code_digest("annotation/called_genes.py", "annotation/genbank.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/write_target_genes.py"

    rule pyrodigal_target:
        input:
            multiext("results/genomes/{target}/", "genome.json", "codes.npy", "contigs.parquet"),
        output:
            f"{RESULTS}/annotate/targets/{{target}}.pyrodigal.parquet",
        log:
            log_of("pyrodigal_target/{target}"),
        benchmark:
            benchmark_of("pyrodigal_target/{target}")
        params:
            code=code_digest("baselines/finders.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/pyrodigal_target.py"

    rule summarise_target:
        input:
            multiext("results/genomes/{target}/", "genome.json", "codes.npy", "contigs.parquet"),
            calls=f"{RESULTS}/annotate/targets/{{target}}.calls.parquet",
            proteins=f"{RESULTS}/annotate/targets/{{target}}.faa",
            pyrodigal=f"{RESULTS}/annotate/targets/{{target}}.pyrodigal.parquet",
        output:
            f"{RESULTS}/annotate/targets/{{target}}.summary.tsv",
        log:
            log_of("summarise_target/{target}"),
        benchmark:
            benchmark_of("summarise_target/{target}")
        params:
            code=code_digest("evaluate/targets.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/summarise_target.py"

    rule figure_targets:
        input:
            summaries=each_target("summary.tsv"),
            calls=each_target("calls.parquet"),
            pyrodigal=each_target("pyrodigal.parquet"),
        output:
            report(
                f"{RESULTS}/figures/targets.svg",
                caption="../report/targets.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/targets", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_targets"),
        benchmark:
            benchmark_of("figure_targets")
        params:
            targets=list(TARGETS),
            code=code_digest("figures/targets.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_targets.py"
