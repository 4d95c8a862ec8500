"""What has been downloaded is kept, verified again, and turned into a genome; nothing is asked where files are here."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from helpers.mirror import GFF3, Site, add_ncbi, fasta, http_site, md5, packed

from dnalm.config import load_study
from dnalm.download.acquire import acquire, cache_folder, deliver
from dnalm.download.faults import DownloadError
from dnalm.download.settings import Settings
from dnalm.errors import InputError
from dnalm.genomes.build import build_genome
from dnalm.io.fetch import resolve_source
from dnalm.io.provenance import ROOT, sha256_of
from dnalm.io.remote import KEYS, is_remote, local_files, source_key, wanted

ECOLI = {"ncbi": "GCF_000005845.2"}
STEM = "GCF_000005845.2_ASM584v2"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site with a genome, its base URL in the environment, and no other data."""
    monkeypatch.delenv("DNALM_DATA", raising=False)
    site = Site()
    add_ncbi(site)
    with http_site(site) as base:
        monkeypatch.setenv("DNALM_MIRROR_NCBI", f"{base}/genomes/all")
        monkeypatch.setenv("DNALM_MIRROR_NCBI_DATASETS", f"{base}/none")
        site.base = base
        yield site


def parsed(source):
    """A genome's config as the rules hand it over."""
    study = load_study({"study": "s", "genomes": {"g": source}})
    return study.genomes["g"].model_dump(mode="json", exclude_none=True, exclude={"group", "split"})


def test_a_genome_in_the_cache_asks_nobody(site, tmp_path):
    settings = Settings(attempts=2, backoff=0.01)
    folder = acquire(ECOLI, tmp_path, settings)
    asked = len(site.requests)
    assert acquire(ECOLI, tmp_path, settings) == folder
    assert len(site.requests) == asked
    assert folder.name.startswith("ncbi-GCF_000005845.2-")


@pytest.mark.parametrize("damage", ["changed", "gone", "longer", "no record"])
def test_what_is_damaged_in_the_cache_is_fetched_again(site, tmp_path, damage, caplog):
    settings = Settings(attempts=2, backoff=0.01)
    folder = acquire(ECOLI, tmp_path, settings)
    record = (folder / "download.json").read_text()
    path = folder / f"{STEM}_genomic.fna.gz"
    good = path.read_bytes()
    if damage == "changed":
        path.write_bytes(good[:-1] + b"x")
    elif damage == "longer":
        path.write_bytes(good + b"x")
    else:
        (folder / "download.json" if damage == "no record" else path).unlink()
    site.requests.clear()
    acquire(ECOLI, tmp_path, settings)
    assert path.read_bytes() == good
    fetched = [r.path.rpartition("/")[2] for r in site.requests if r.path.endswith(".gz")]
    assert fetched == ([] if damage == "no record" else [path.name])
    same = [{k: v for k, v in f.items() if k != "date"} for f in json.loads(record)["files"]]
    again = json.loads((folder / "download.json").read_text())["files"]
    assert [{k: v for k, v in f.items() if k != "date"} for f in again] == same


def test_a_download_becomes_a_genome_with_its_provenance(site, tmp_path):
    folder = acquire(ECOLI, tmp_path / "cache", Settings())
    deliver(folder, tmp_path / "g")
    files = resolve_source(ECOLI, downloads=tmp_path / "g")
    assert files.sequence == tmp_path / "g" / f"{STEM}_genomic.fna.gz"
    assert files.annotation.read_bytes() == packed(GFF3)
    assert files.report.name == f"{STEM}_assembly_report.txt"
    facts = files.provenance
    data = packed(fasta())
    assert facts["sha256"] == sha256_of(files.sequence)
    assert facts["bytes"] == len(data)
    assert facts["provider_checksum"] == {"kind": "md5", "value": md5(data)}
    assert facts["url"].startswith(site.base)
    assert {"kind", "name", "accession", "provider", "assembly", "mirror", "date", "licence", "etag", "source",
            "annotation_url", "annotation_sha256", "report_sha256"} <= facts.keys()  # fmt: skip
    files.sequence.unlink()
    files.sequence.write_bytes(data[:-1])
    with pytest.raises(InputError, match=r"sha256 is .* expected"):
        resolve_source(ECOLI, downloads=tmp_path / "g")


def test_an_annotation_of_ones_own_beside_a_downloaded_sequence(site, tmp_path):
    (tmp_path / "own.gff3").write_bytes(GFF3)
    source = {**ECOLI, "annotation": str(tmp_path / "own.gff3")}
    folder = acquire(source, tmp_path / "cache", Settings())
    assert not list(folder.glob("*.gff*"))
    files = resolve_source(source, downloads=folder)
    assert files.annotation == tmp_path / "own.gff3"
    assert files.provenance["annotation_sha256"] == sha256_of(tmp_path / "own.gff3")


def test_delivered_files_share_their_disk_space(site, tmp_path):
    folder = acquire(ECOLI, tmp_path / "cache", Settings())
    deliver(folder, tmp_path / "g")
    deliver(folder, tmp_path / "g")
    name = f"{STEM}_genomic.fna.gz"
    assert os.path.samefile(folder / name, tmp_path / "g" / name)
    assert sorted(path.name for path in (tmp_path / "g").iterdir()) == sorted(
        ["download.json", name, f"{STEM}_genomic.gff.gz", f"{STEM}_assembly_report.txt"]
    )


def test_a_copy_to_another_disk_that_fails_half_way_has_no_final_name(site, tmp_path, monkeypatch):
    folder = acquire(ECOLI, tmp_path / "cache", Settings())

    def other_disk(*paths):
        raise OSError(18, "Invalid cross-device link")

    def half(source, target):
        with open(source, "rb") as whole, open(target, "wb") as out:
            out.write(whole.read(20))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dnalm.download.acquire.os.link", other_disk)
    with monkeypatch.context() as broken, pytest.raises(OSError, match="No space left"):
        broken.setattr("dnalm.download.acquire.shutil.copyfile", half)
        deliver(folder, tmp_path / "g")
    assert not list((tmp_path / "g").iterdir())
    deliver(folder, tmp_path / "g")
    names = [f"{STEM}_genomic.fna.gz", "download.json"]
    assert all((tmp_path / "g" / name).read_bytes() == (folder / name).read_bytes() for name in names)
    assert not os.path.samefile(folder / names[0], tmp_path / "g" / names[0])


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("DNALM_CACHE", raising=False)
    assert str(cache_folder()) == "results/downloads/.cache"
    monkeypatch.setenv("DNALM_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"cannot write here .* Set DNALM_CACHE"):
        acquire(ECOLI, tmp_path / "file", Settings())


def test_a_complete_cache_of_somebody_else_is_used(site, tmp_path, monkeypatch):
    folder = acquire(ECOLI, tmp_path, Settings())

    def refused(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("dnalm.download.locks.open", refused, raising=False)  # root may open anything
    site.requests.clear()
    assert acquire(ECOLI, tmp_path, Settings()) == folder
    assert not site.requests
    path = folder / f"{STEM}_genomic.fna.gz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DownloadError, match=r"cannot write here \(Permission denied\)"):
        acquire(ECOLI, tmp_path, Settings())
    assert path.is_file()


@pytest.mark.parametrize("record", ["{}", "[]", "null", '{"files": []}', "{"])
def test_a_record_that_says_nothing_counts_for_nothing(site, tmp_path, record):
    folder = acquire(ECOLI, tmp_path, Settings())
    (folder / "download.json").write_text(record)
    with pytest.raises(InputError, match=r"download\.json: .*Delete the folder"):
        resolve_source(ECOLI, downloads=folder)
    assert (acquire(ECOLI, tmp_path, Settings()) / f"{STEM}_genomic.fna.gz").is_file()
    assert resolve_source(ECOLI, downloads=folder).sequence.name == f"{STEM}_genomic.fna.gz"


YEAST = {"ensembl": {"species": "saccharomyces_cerevisiae", "release": 113}}
NAMES = {
    "assembly": (ECOLI, [f"{STEM}_genomic.fna.gz", f"{STEM}_genomic.gff.gz"]),
    "assembly, plain": (ECOLI, [f"{STEM}_genomic.fna", f"{STEM}_genomic.gff"]),
    "genbank": ({**ECOLI, "include": "genbank"}, [f"{STEM}_genomic.gbff.gz"]),
    "sequence alone": ({**ECOLI, "include": "sequence"}, [f"{STEM}_genomic.fna.gz"]),
    "record": ({"ncbi": "NC_000913.3"}, ["NC_000913.3.gb"]),
    "ensembl": (
        YEAST,
        ["Saccharomyces_cerevisiae.R64-1-1.dna_sm.toplevel.fa.gz", "Saccharomyces_cerevisiae.R64-1-1.113.gff3.gz"],
    ),
    "ucsc": ({"ucsc": "sacCer3"}, ["sacCer3.fa.gz", "sacCer3.ncbiRefSeq.gtf.gz"]),
    "ucsc, 2bit": ({"ucsc": {"assembly": "sacCer3", "track": "ensGene"}}, ["sacCer3.2bit", "sacCer3.ensGene.gtf.gz"]),
    "url": ({"url": "https://example.org/a/x.fa.gz?y=1"}, ["x.fa.gz"]),
    "urls": ({"url": "https://example.org/x.fa", "annotation": "ftp://example.org/y.gff3"}, ["x.fa", "y.gff3"]),
    "own names": ({**ECOLI, "file": "a/mine.fa", "annotation": "b.gff"}, ["a/mine.fa", "b.gff"]),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES)
def test_files_that_are_here_are_never_downloaded(tmp_path, monkeypatch, case):
    source, names = NAMES[case]
    source = parsed(source)
    monkeypatch.setenv("DNALM_DATA", f"/nowhere{os.pathsep}{tmp_path}")
    for name in names:
        assert is_remote(source) is (case != "own names")
        with pytest.raises(InputError, match="was not found"):
            resolve_source(source)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b">x\n")
    assert not is_remote(source)
    files = resolve_source(source)
    found = [files.sequence, *([files.annotation] if files.annotation else [])]
    assert found == [tmp_path / name for name in names]


def test_coding_sequences_of_ncbi_are_no_genome(tmp_path, monkeypatch):
    """NCBI's folders have them under names that end as the genome's does, and come before it in the alphabet."""
    monkeypatch.setenv("DNALM_DATA", str(tmp_path))
    for end in ("cds_from_genomic.fna.gz", "rna_from_genomic.fna.gz", "genomic.gff.gz"):
        (tmp_path / f"{STEM}_{end}").write_bytes(b">x\n")
    assert is_remote(ECOLI)
    (tmp_path / f"{STEM}_genomic.fna").write_bytes(b">x\n")
    assert resolve_source(ECOLI).sequence == tmp_path / f"{STEM}_genomic.fna"


@pytest.mark.parametrize("other", ["GRCh37.dna_sm.primary_assembly", "GRCh37.dna_sm.toplevel"])
def test_several_assemblies_that_fit_are_an_error_until_one_is_named(tmp_path, monkeypatch, other):
    monkeypatch.setenv("DNALM_DATA", str(tmp_path))
    right, gff = "Homo_sapiens.GRCh38.dna_sm.primary_assembly.fa.gz", "Homo_sapiens.GRCh38.113.gff3.gz"
    for name in (right, gff, f"Homo_sapiens.{other}.fa.gz"):
        (tmp_path / name).write_bytes(b">x\n")
    human = {"ensembl": {"species": "homo_sapiens", "release": 113}}
    with pytest.raises(InputError, match=rf"several files .*GRCh37.*{right}.*with `file`|{right}.*GRCh37.*`file`"):
        is_remote(parsed(human))
    assert resolve_source(parsed({**human, "file": right})).sequence == tmp_path / right
    assert not is_remote(parsed({**human, "file": "gone.fa.gz"}))
    with pytest.raises(InputError, match=r"gone\.fa\.gz of homo_sapiens, release 113 was not found"):
        resolve_source(parsed({**human, "file": "gone.fa.gz"}))
    (tmp_path / "Homo_sapiens.T2T.113.gff3.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"GRCh38\.113\.gff3.*T2T.*with `annotation`"):
        resolve_source(parsed({**human, "file": right}))
    assert resolve_source(parsed({**human, "file": right, "annotation": gff})).annotation == tmp_path / gff


def test_a_report_that_lies_beside_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("DNALM_DATA", str(tmp_path))
    for end in ("genomic.fna.gz", "genomic.gff.gz", "assembly_report.txt"):
        (tmp_path / f"{STEM}_{end}").write_bytes(b">x\n")
    assert resolve_source(ECOLI).report == tmp_path / f"{STEM}_assembly_report.txt"


def test_file_urls_are_paths(tmp_path):
    (tmp_path / "x y.fa").write_bytes(fasta())
    source = parsed({"url": (tmp_path / "x y.fa").as_uri()})
    assert not is_remote(source)
    assert resolve_source(source).sequence == tmp_path / "x y.fa"


def test_a_file_under_a_name_of_ones_own_is_never_replaced_by_another(tmp_path, monkeypatch):
    """NCBI has a file of this accession, but who knows what this one is."""
    monkeypatch.setenv("DNALM_DATA", str(tmp_path))
    assert not is_remote({**ECOLI, "file": "ecoli_k12_mg1655.gbff.gz"})
    assert is_remote({**ECOLI, "file": f"{STEM}_genomic.gbff.gz"})
    record = {"ncbi": "NC_012920.1"}
    assert is_remote({**record, "file": "NC_012920.1.gb"})
    assert not is_remote({**record, "file": "human_mt/NC_012920.1.fa.gz"})  # Entrez sends plain GenBank alone
    assert not is_remote({"path": "x.fa"})
    assert not is_remote({"embedded": "x"})


def test_keys_of_the_cache():
    variants = [ECOLI, {**ECOLI, "include": "genbank"}, {**ECOLI, "sha256": "0" * 64}, {"ncbi": "GCF_000005845.1"}]
    variants += [parsed(YEAST), parsed({"ucsc": "sacCer3"}), {"url": "https://a/x.fa"}, {"url": "https://b/x.fa"}]
    keys = [source_key(source) for source in variants]
    assert len(set(keys)) == len(keys)
    assert source_key({**ECOLI, "genetic_code": 11, "region": {"start": 0, "end": 9}}) == keys[0]
    assert all(key.replace("-", "").replace("_", "").replace(".", "").isalnum() for key in keys)
    assert set(KEYS) > {"ncbi", "ensembl", "ucsc", "url", "sha256", "md5"}
    assert wanted(parsed({"ucsc": "sacCer3"})).sequence == ("sacCer3.fa.gz", "sacCer3.2bit")
    assert local_files({"url": "https://a/x.fa"}) is None


OFFLINE = {
    "assembly": (ECOLI, [
        "https://ftp.ncbi.nlm.nih.gov/genomes/all/GCF/000/005/845", "api.ncbi.nlm.nih.gov/datasets/v2",
        "fetch GCF_000005845.2_*_genomic.fna.gz and GCF_000005845.2_*_genomic.gff.gz",
    ]),
    "record": ({"ncbi": "NC_000913.3"}, ["https://www.ncbi.nlm.nih.gov/nuccore/NC_000913.3", "fetch NC_000913.3.gb"]),
    "ensembl": (YEAST, [
        "https://ftp.ensembl.org/pub/release-113/fasta/saccharomyces_cerevisiae/dna/",
        "Saccharomyces_cerevisiae.*.113.gff3.gz",
    ]),
    "ucsc": ({"ucsc": {"assembly": "sacCer3"}}, ["soe.ucsc.edu/goldenPath/sacCer3/bigZips", "fetch sacCer3.fa.gz"]),
    "two urls": ({"url": "http://genomes.invalid/x.fa", "annotation": "http://genomes.invalid/y.gff3"},
                 ["fetch x.fa and y.gff3"]),
    "s3": ({"url": "s3://bucket/x.fa.gz"}, ["s3://bucket/x.fa.gz", "fetch x.fa.gz"]),
}  # fmt: skip
ALONE = """
import json, sys
from pathlib import Path
from dnalm.download.acquire import acquire
from dnalm.download.settings import Settings
from dnalm.errors import DnalmError
for source in json.loads(sys.argv[1]):
    try:
        acquire(source, Path(sys.argv[2]), Settings(backoff=0.01))
    except DnalmError as error:
        print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def offline_messages(tmp_path_factory):
    """What is said of each source by a process that has no network at all."""
    alone = ["unshare", "-rn"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], capture_output=True).returncode != 0:
        pytest.skip("a process without a network needs unshare and user namespaces")
    kept = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("DNALM_")}
    environment = {**kept, "DNALM_DATA": "/data/genomes", "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    sources = json.dumps([source for source, _ in OFFLINE.values()])
    command = [*alone, sys.executable, "-c", ALONE, sources, str(tmp_path_factory.mktemp("cache"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return dict(zip(OFFLINE, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("case", OFFLINE)
def test_without_a_network_the_message_says_what_to_put_where(offline_messages, case):
    message = offline_messages[case]
    for word in (*OFFLINE[case][1], "cannot be downloaded", "folder of DNALM_DATA (/data/genomes)"):
        assert word in message, message


def test_a_study_may_name_a_genome_of_ucsc_in_one_word():
    assert parsed({"ucsc": "sacCer3"})["ucsc"] == {"assembly": "sacCer3"}


NUCLEOTIDES = ("NZ_CP012345.1", "NZ_ABCD01000001.1", "NZ_JAABCD010000001.1", "JAABCD010000001.1", "U00096.3")


@pytest.mark.parametrize("accession", NUCLEOTIDES)
def test_accessions_of_records(accession):
    assert parsed({"ncbi": accession})["ncbi"] == accession


@pytest.mark.parametrize("accession", ["NZ_NC_000913.3", "nc_000913.3", "NZ_GCF_000005845.2"])
def test_what_is_no_accession(accession):
    with pytest.raises(InputError, match="is no accession"):
        parsed({"ncbi": accession})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"ncbi": "banana"}, "'banana' is no accession"),
        ({"ncbi": "GCF_000005845"}, r"name the version of GCF_000005845, as in GCF_000005845\.1"),
        ({"ncbi": "NC_000913.3", "ucsc": "x"}, "exactly one of"),
        ({"url": "example.org/x.fa"}, "url: .*match pattern"),
        ({"ucsc": "sacCer3", "include": "genbank"}, "include: genbank goes with ncbi"),
        ({"ncbi": "NC_000913.3", "include": "sequence"}, "include goes with ensembl, ucsc and assemblies"),
        ({"path": "x.fa", "md5": "0" * 32}, "md5 is for downloads"),
        ({"ensembl": {"species": "Homo sapiens", "release": 113}}, r"ensembl\.species: .*match pattern"),
        ({"ensembl": {"specie": "homo_sapiens", "release": 113}}, "did you mean species"),
        ({"ucsc": {"assembly": "sacCer3", "trakc": "x"}}, "did you mean track"),
    ],
)
def test_sources_that_are_wrong(source, words):
    with pytest.raises(InputError, match=words):
        parsed(source)


def test_mirrors_that_are_wrong():
    with pytest.raises(InputError, match="did you mean ensembl"):
        load_study({"study": "s", "genomes": {"g": ECOLI}, "download": {"mirrors": {"ensemble": ["http://x"]}}})


def test_an_estimate_needs_no_network(site, tmp_path, monkeypatch):
    from dnalm.estimate import genome_size

    monkeypatch.chdir(tmp_path)
    study = load_study({"study": "s", "genomes": {"g": ECOLI}, "annotate": None})
    with pytest.raises(InputError, match=r"was not found.* The rule download fetches it.*--bases 4600000"):
        genome_size(study)
    assert genome_size(study, 5000).bases == 5000
    assert not site.requests
    deliver(acquire(ECOLI, tmp_path / "cache", Settings()), tmp_path / "results" / "downloads" / "g")
    assert genome_size(study).bases == 3000


def test_passwords_in_urls_stay_out_of_records(site, tmp_path):
    site.add("/x.fa", fasta())
    source = {"url": site.base.replace("//", "//me:secret@") + "/x.fa?token=secret", "file": "x.fa"}
    folder = acquire(source, tmp_path, Settings())
    assert "secret" not in (folder / "download.json").read_text()
    files = resolve_source(source, downloads=folder)
    assert "secret" not in json.dumps(files.provenance)
    build_genome("g", files, source, tmp_path / "g")
    assert "secret" not in (tmp_path / "g" / "provenance.json").read_text()


def test_passwords_in_urls_of_files_that_are_here_stay_out_of_records(tmp_path, monkeypatch):
    monkeypatch.setenv("DNALM_DATA", str(tmp_path))
    source = parsed({"url": "https://me:secret@example.org/a.fa?token=secret",
                     "annotation": "https://me:secret@example.org/a.gff3"})  # fmt: skip
    with pytest.raises(InputError, match="was not found") as error:
        resolve_source(source)
    assert "secret" not in str(error.value)
    (tmp_path / "a.fa").write_bytes(fasta())
    (tmp_path / "a.gff3").write_bytes(GFF3)
    build_genome("g", resolve_source(source), source, tmp_path / "g")
    record = (tmp_path / "g" / "provenance.json").read_text()
    assert "secret" not in record and "https://example.org/a.fa?token=..." in record
