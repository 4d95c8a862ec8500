"""Tracks: labels of the user's own learned by fine-tuning, beside a regression on k-mers and the twins; called, judged."""

if LABEL_TRACKS:

    rule track_intervals:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            files=track_files(),
        output:
            f"{RESULTS}/annotate/tracks.parquet",
        log:
            log_of("track_intervals"),
        benchmark:
            benchmark_of("track_intervals")
        params:
            settings=ANNOTATE,
            regions={name: source["region"] for name, source in SOURCES.items() if "region" in source},
            code=code_digest("annotation/track_labels.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=10,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/track_intervals.py"

    rule finetune_tracks:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            tokenizer=f"{RESULTS}/tokens/tokenizer.json",
            intervals=f"{RESULTS}/annotate/tracks.parquet",
            model=f"{RESULTS}/pretrain/model/model.safetensors",
        output:
            config=f"{RESULTS}/annotate/model/config.json",
            labels=f"{RESULTS}/annotate/model/tracks.json",
            weights=f"{RESULTS}/annotate/model/model.safetensors",
            log=f"{RESULTS}/annotate/log.csv",
            facts=f"{RESULTS}/annotate/run.json",
        log:
            log_of("finetune_tracks"),
        benchmark:
            benchmark_of("finetune_tracks")
        params:
            method="dnalm",
            settings=ANNOTATE,
            backbone=PRETRAIN,
            seed=STUDY.seed,
            state=f"{STATE}/annotate",
            code=code_digest("tasks/tracks.py"),
        threads: ANNOTATE["threads"]
        priority: 90
        resources:
            mem_mb=3000,
            runtime=240,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/finetune_tracks.py"

    use rule finetune_tracks as finetune_tracks_twin with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            tokenizer=f"{RESULTS}/tokens/tokenizer.json",
            intervals=f"{RESULTS}/annotate/tracks.parquet",
        output:
            config=f"{RESULTS}/annotate/twins/{{twin}}/model/config.json",
            labels=f"{RESULTS}/annotate/twins/{{twin}}/model/tracks.json",
            weights=f"{RESULTS}/annotate/twins/{{twin}}/model/model.safetensors",
            log=f"{RESULTS}/annotate/twins/{{twin}}/log.csv",
            facts=f"{RESULTS}/annotate/twins/{{twin}}/run.json",
        log:
            log_of("finetune_tracks_{twin}"),
        benchmark:
            benchmark_of("finetune_tracks_{twin}")
        params:
            method="{twin}",
            settings=ANNOTATE,
            backbone=PRETRAIN,
            seed=STUDY.seed,
            state=f"{STATE}/{{twin}}",
            code=code_digest("tasks/tracks.py"),
        priority: 10

    rule predict_tracks:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/annotate/model/model.safetensors",
        output:
            genes_of("probabilities/dnalm.npz"),
        log:
            log_of("predict_tracks"),
        benchmark:
            benchmark_of("predict_tracks")
        params:
            held_out_only=False,
            code=code_digest("tasks/tracks.py", "genomes/composite.py"),
        threads: ANNOTATE["threads"]
        priority: 80
        resources:
            mem_mb=4000,
            runtime=120,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/predict_tracks.py"

    use rule predict_tracks as predict_tracks_twin with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/annotate/twins/{{twin}}/model/model.safetensors",
        output:
            genes_of("probabilities/{twin}.npz"),
        log:
            log_of("predict_tracks_{twin}"),
        benchmark:
            benchmark_of("predict_tracks_{twin}")
        params:
            held_out_only=True,
            code=code_digest("tasks/tracks.py", "genomes/composite.py"),
        priority: 10

    rule kmer_logistic:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            intervals=f"{RESULTS}/annotate/tracks.parquet",
        output:
            genes_of("probabilities/kmer_logistic.npz"),
        log:
            log_of("kmer_logistic"),
        benchmark:
            benchmark_of("kmer_logistic")
        params:
            settings=ANNOTATE,
            seed=STUDY.seed,
            code=code_digest("baselines/kmer_logistic.py", "tasks/tracks.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=4000,
            runtime=60,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/kmer_logistic.py"

    rule track_thresholds:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            intervals=f"{RESULTS}/annotate/tracks.parquet",
            probabilities=track_probabilities(),
        output:
            f"{RESULTS}/annotate/thresholds.json",
        log:
            log_of("track_thresholds"),
        benchmark:
            benchmark_of("track_thresholds")
        params:
            settings=ANNOTATE,
            code=code_digest("evaluate/tracks.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=3000,
            runtime=20,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/track_thresholds.py"

    rule write_tracks:
        input:
            multiext("results/genomes/{genome}/", "genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            thresholds=f"{RESULTS}/annotate/thresholds.json",
            probabilities=f"{RESULTS}/annotate/{{genome}}/probabilities/dnalm.npz",
        output:
            bed=[f"{RESULTS}/annotate/{{genome}}/{name}" for name in track_outputs("bed.gz")],
            bigwig=[f"{RESULTS}/annotate/{{genome}}/{name}" for name in track_outputs("bw")],
        log:
            log_of("write_tracks/{genome}"),
        benchmark:
            benchmark_of("write_tracks/{genome}")
        params:
            settings=ANNOTATE,
            code=code_digest("tasks/track_calls.py", "annotation/bed.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/write_tracks.py"

    rule evaluate_tracks:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            intervals=f"{RESULTS}/annotate/tracks.parquet",
            thresholds=f"{RESULTS}/annotate/thresholds.json",
            probabilities=track_probabilities(),
        output:
            metrics=f"{RESULTS}/annotate/metrics.tsv",
            comparisons=f"{RESULTS}/annotate/comparisons.tsv",
        log:
            log_of("evaluate_tracks"),
        benchmark:
            benchmark_of("evaluate_tracks")
        params:
            study=STUDY.study,
            annotate=ANNOTATE,
            settings=EVALUATE,
            seed=STUDY.seed,
            code=code_digest("evaluate/tracks.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=3000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/evaluate_tracks.py"

    rule figure_track_precision_recall:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            intervals=f"{RESULTS}/annotate/tracks.parquet",
            probabilities=track_probabilities(),
            metrics=f"{RESULTS}/annotate/metrics.tsv",
        output:
            report(
                f"{RESULTS}/figures/track_precision_recall.svg",
                caption="../report/track_precision_recall.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/track_precision_recall", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_track_precision_recall"),
        benchmark:
            benchmark_of("figure_track_precision_recall")
        params:
            annotate=ANNOTATE,
            code=code_digest("figures/tracks.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_track_precision_recall.py"
