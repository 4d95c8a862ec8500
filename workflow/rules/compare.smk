"""Comparison: architectures, tokens and objectives side by side, each trained for the same CPU time."""

if STUDY.compare:

    rule compare_arm:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
        output:
            facts=f"{RESULTS}/compare/arms/{{arm}}/seed{{seed}}/facts.json",
            log=f"{RESULTS}/compare/arms/{{arm}}/seed{{seed}}/log.csv",
            scores=f"{RESULTS}/compare/arms/{{arm}}/seed{{seed}}/scores.npz",
        log:
            log_of("compare_arm/{arm}.{seed}"),
        benchmark:
            benchmark_of("compare_arm/{arm}.{seed}")
        params:
            settings=lambda wildcards: arm_settings(wildcards.arm),
            code=code_digest("tasks/compare.py"),
        threads: 1
        resources:
            mem_mb=4000,
            runtime=60,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/compare_arm.py"

    rule context_cost:
        output:
            f"{RESULTS}/compare/context.tsv",
        log:
            log_of("context_cost"),
        benchmark:
            benchmark_of("context_cost")
        params:
            contexts=COMPARE["contexts"],
            code=code_digest("tasks/context_cost.py"),
        threads: 1
        resources:
            mem_mb=16000,
            runtime=120,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/context_cost.py"

    rule evaluate_compare:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            baselines=[f"{RESULTS}/pretrain/scores/{name}.npz" for name in ("markov_mixture", "flank_counts")],
            scores=[f"{folder}/scores.npz" for folder in arm_folders()],
            logs=[f"{folder}/log.csv" for folder in arm_folders()],
            facts=[f"{folder}/facts.json" for folder in arm_folders()],
        output:
            metrics=f"{RESULTS}/compare/metrics.tsv",
            comparisons=f"{RESULTS}/compare/comparisons.tsv",
            arms=f"{RESULTS}/compare/arms.tsv",
        log:
            log_of("evaluate_compare"),
        benchmark:
            benchmark_of("evaluate_compare")
        params:
            study=STUDY.study,
            settings=EVALUATE,
            seed=STUDY.seed,
            code=code_digest("evaluate/compare.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/evaluate_compare.py"
