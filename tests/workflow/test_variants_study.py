"""Variants as a user runs them: a file in, the same with scores out, and a map, on a slice of the embedded genome."""

import pandas as pd
import pybigtools
import pysam
import pytest
import yaml
from helpers.workflow import checkout, planned, snakemake

from dnalm.io.fasta import load_genome

STUDY = ("--configfile", "study.yaml")
TRAINING = {"genome", "splits", "tokenizer", "pretrain"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("variants"))
    study = yaml.safe_load((folder / "tests/config/tiny.yaml").read_text())
    study |= {"study": "mine", "annotate": None}
    study["genomes"]["slice"]["region"]["end"] = 60_000
    study["pretrain"]["bases_seen"] = 20_000
    (folder / "shared").mkdir()
    (folder / "shared/names.tsv").write_text("alias\tCG0037\n")
    study["variants"] = {
        "sets": {"mine": {"vcf": "mine.vcf", "aliases": "names.tsv"}},
        "maps": {"part": {"contig": "CG0037", "end": 700}},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    depth = '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">'
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    (folder / "mine.vcf").write_text(f"##fileformat=VCFv4.2\n{depth}\n{columns}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DNALM_DATA", str(folder / "shared"))
        yield folder


def test_only_what_is_asked_for_is_planned(project):
    wanted = "results/mine/variants/mine.vcf.gz"
    assert planned(snakemake(project, *STUDY, "--dry-run", "--", wanted)) == TRAINING | {"score_variants"}
    rules = planned(snakemake(project, *STUDY, "--dry-run"))
    assert {"score_variants", "map_variants", "evaluate_variants", "figure_substitution_map", "report"} <= rules


@pytest.fixture(scope="module")
def finished(project):
    snakemake(project, *STUDY, "--", "results/genomes/slice/codes.npy")
    genome = load_genome(project / "results/genomes/slice")
    letters = ["ACGT"[c & 3] for c in genome.codes[:3000]]
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    rows = [f"CG0037\t{p}\tv{p}\t{letters[p - 1]}\t{other[letters[p - 1]]}\t.\tPASS\tDP=1" for p in range(50, 2000, 37)]
    rows.append(f"CG0037\t2100\tgone\t{''.join(letters[2099:2102])}\t{letters[2099]}\t.\t.\t.")
    rows.append("CG0037\t2147483647\tbeyond\tA\tT\t.\t.\t.")
    rows.append(f"alias\t9\tnamed\t{letters[8]}\t{other[letters[8]]}\t.\t.\t.")
    rows.append("chromosome\t1\tlost\tA\tT\t.\t.\t.")
    rows.append("no record")
    head = (project / "mine.vcf").read_text()
    (project / "mine.vcf").write_text(head + "\n".join(rows) + "\n")
    snakemake(project, *STUDY)
    return project / "results/mine"


def test_all_records_come_back_with_scores(finished):
    with pysam.VariantFile(str(finished / "variants/mine.vcf.gz")) as file:
        found = {record.id: record for record in file}
    assert len(found) == len(range(50, 2000, 37)) + 4
    assert found["v50"].info["DP"] == 1 and found["v50"].info["DNALM_LLR"][0] is not None
    assert found["gone"].info["DNALM_JOINT"][0] is not None
    assert found["lost"].info["DNALM_FLAG"] == ("unknown_contig",)
    assert found["named"].info["DNALM_LLR"][0] is not None  # by the aliases in a folder of DNALM_DATA
    assert found["beyond"].info["DNALM_FLAG"] == ("bad_position",)
    index = str(finished / "variants/mine.vcf.gz.csi")  # .tbi holds no such position
    with pysam.TabixFile(str(finished / "variants/mine.vcf.gz"), index=index) as file:
        assert len(list(file.fetch("CG0037", 49, 100))) == 2
    rejects = pd.read_csv(finished / "variants/mine.rejects.tsv", sep="\t")
    assert list(rejects["text"]) == ["no record"]
    table = pd.read_parquet(finished / "variants/mine.parquet")
    assert set(table["split"]) <= {"train", "validation", "test", "gap", ""} and len(table) == len(found)


def test_the_map_and_what_is_drawn_of_it(finished):
    table = pd.read_parquet(finished / "variants/maps/part.parquet")
    assert len(table) == 700 and set(table["codon_position"]) >= {1, 2, 3}
    assert pybigtools.open(str(finished / "variants/maps/part.entropy.bw")).chroms() == {"CG0037": 60_000}
    assert (finished / "figures/substitution_map.png").stat().st_size > 10_000


def test_the_report_and_the_metrics_speak_of_variants(finished):
    page = (finished / "report.html").read_text()
    assert "<h2>Variants</h2>" in page and "variants/mine.vcf.gz" in page and "unknown contig" in page
    metrics = pd.read_csv(finished / "all_metrics.tsv", sep="\t")
    mine = metrics[metrics["stage"] == "variants"]
    judged = {"stop_gained", "missense", "missense_matched", "frameshift", "frameshift_matched"}
    assert judged == set(mine.loc[mine["metric"] == "auroc", "stratum"])
    assert {f"codon_position_{n}" for n in (1, 2, 3)} == set(mine.loc[mine["metric"] == "mean_ratio", "stratum"])
    assert {"dnalm", "dnalm_frame", "markov_mixture", "flank_counts", "position_3"} <= set(mine["method"])


def test_nothing_is_left_to_do(project, finished):
    assert not planned(snakemake(project, *STUDY, "--dry-run"))
