"""Learn from variants with labels, predict groups that were held out, and judge every method."""

import json
from pathlib import Path

import pandas as pd

from dnalm.evaluate.labelled import evaluate_labelled, folds_digest
from dnalm.io.fasta import load_genome
from dnalm.io.provenance import run_facts
from dnalm.io.tables import write_comparisons, write_metrics, write_parquet, write_tsv
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.labelled import facts, find_files, predict, predictions, prepare, save_model
from dnalm.tasks.labelled_finetune import finetuned
from dnalm.tasks.labelled_language import Language, counted_scores
from dnalm.tasks.labelled_unlabelled import facts_of_unlabelled, predict_unlabelled, write_unlabelled
from dnalm.variants.coding import read_coding
from dnalm.variants.final import FinalScorer

start_log(snakemake)
p, s, out = snakemake.params, snakemake.params.settings, snakemake.output
genome, name = load_genome(p.genome), snakemake.wildcards.labelled
coding = read_coding(genome, pd.read_parquet(Path(p.genome) / "features.parquet"))
model = snakemake.input.model
where = (p.whole, p.genome, p.window)
splits = read_splits(snakemake.input.splits[0]) if model else None
language = Language.load(Path(model[0]).parent, *where, splits, p.final, p.seed) if model else None
files = find_files(s, f"variants.labelled.{name}", genome)
data = prepare(genome, settings=s, seed=p.seed, coding=coding, language=language, **files)
with run_facts(out.run, threads=snakemake.threads, seed=p.seed):
    fitted, raw = predict(data, s, p.seed)
    if language:
        choices = json.loads(Path(snakemake.input.choices[0]).read_text())
        raw |= counted_scores(language.whole, language.first, data.table, language.training, choices)
    if s["finetune"]:
        fitted |= finetuned(language, data, s, p.seed, p.state)
table = predictions(data, fitted, raw)
write_parquet(table, out.parquet)
write_tsv(data.left_out, out.left_out)
save_model(data, s, p.seed, out.model, terms=s["terms"])
unlabelled = predict_unlabelled(data, FinalScorer.load(out.model), table, s["precision"])
write_parquet(unlabelled, out.unlabelled)
write_unlabelled(unlabelled, out.unlabelled_tsv)
told = [*facts(data, s), *facts_of_unlabelled(unlabelled)]
write_tsv(pd.DataFrame(told, columns=["about", "text"]), out.facts)
common = {"study": p.study, "stage": "variants", "dataset": name, "split": "test", "splits_sha256": folds_digest(table)}
unit = f"{s['unit']} bp" if s["unit"] else "group"
settings = {"bootstrap": p.bootstrap, "unit": unit, "precision": s["precision"]}
rows, pairs = evaluate_labelled(table, raw, fitted, settings, p.seed, common)
write_metrics(rows, out.metrics)
write_comparisons(pairs, out.comparisons)
