"""From two slices of yeast to judged genes: names, transcripts, labels, counts, decoder, metrics."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnalm.annotation.transcript_labels import transcript_labels
from dnalm.annotation.transcripts import coding_codes, intron_kinds, read_transcripts
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source
from dnalm.sequence.genetic_code import translate

NAME = "saccharomyces_cerevisiae_slices"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "genes-with-introns.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, source = tmp_path_factory.mktemp("genomes") / "yeast", {"embedded": NAME}
    with pytest.MonkeyPatch.context() as patch:
        told = []
        patch.setattr(logging.getLogger("dnalm.contigs.names"), "info", lambda text, *a: told.append(text % a))
        build_genome("yeast", resolve_source(source), source, folder)
    assert told == ["contig names matched (by landmark: 2): chrI is I, chrII is II"]
    return folder


@pytest.fixture(scope="module")
def study(folder):
    genome = load_genome(folder)
    table = read_transcripts(genome, pd.read_parquet(folder / "features.parquet"))
    return genome, table, transcript_labels(genome, table)


def test_the_slices_are_what_their_provenance_says(study):
    genome, table, labels = study
    assert dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True)) == {"I": 140_000, "II": 520_000}
    assert set(genome.contigs["genetic_code"]) == {1}
    chosen = table[table["role"] == "chosen"]
    kinds = [k for t in chosen.itertuples() for k in intron_kinds(genome.contig_codes(t.contig), t)]
    assert len(chosen) > 300 and len(kinds) > 20 and set(kinds) <= {"GT-AG", "GC-AG"}
    assert set(table["problem"]) <= {"", "pseudogene", "intron too short", "start codon"}
    by_id = table.set_index("id")["cds_starts"].map(len)
    assert by_id["YAL030W"] == 2 and by_id["YBR111W-A"] == 3  # SNC1, and SUS1 with two introns
    assert labels.known.mean() > 0.9


def test_the_code_of_the_documentation_finds_genes_on_blocks_that_taught_nothing(folder, monkeypatch, capsys):
    monkeypatch.setattr("dnalm.tasks.structures.ROUNDS", 1)  # a coarse search is enough here
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names = {}
    exec(compile(block.replace("results/genomes/yeast", str(folder)), str(PAGE), "exec"), names)
    assert "gene_f1_structure" in capsys.readouterr().out
    genome, calls = names["genome"], names["calls"]
    for t in calls.itertuples():
        protein = translate(coding_codes(genome.contig_codes(t.contig), t), 1)
        assert protein[0] == "M" and protein[-1] == "*" and "*" not in protein[:-1]
        assert set(intron_kinds(genome.contig_codes(t.contig), t)) <= {"GT-AG", "GC-AG", "AT-AC"}
    metrics = pd.DataFrame(names["metrics"]).query("split == 'test'").set_index("metric")
    assert metrics.loc["base_f1_structure", "value"] > 0.93
    assert metrics.loc["exon_f1_structure", "value"] > 0.6
    assert metrics.loc["gene_f1_structure", "value"] > 0.6
    assert (metrics["ci_low"] <= metrics["value"]).all() and np.isfinite(metrics["value"]).all()
