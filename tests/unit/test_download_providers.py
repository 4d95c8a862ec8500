"""NCBI, Ensembl, UCSC and URLs, on loopback servers with their folders, over HTTP and FTP."""

import json
import logging
import shutil
import ssl
import subprocess

import pytest
from helpers.mirror import (
    GFF3,
    Act,
    Site,
    add_ensembl,
    add_ncbi,
    add_ucsc,
    bsd_sum,
    datasets_zip,
    fasta,
    ftp_site,
    genbank,
    http_site,
    packed,
)

from dnalm.download.acquire import acquire
from dnalm.download.checksums import BsdSum, parse_md5, parse_sums
from dnalm.download.client import Client, linked_names
from dnalm.download.faults import DownloadError
from dnalm.download.settings import SERVICES, Settings, settings_of
from dnalm.download.transfer import RemoteFile, fetch

ECOLI = "GCF_000005845.2"
YEAST = {"ensembl": {"species": "saccharomyces_cerevisiae", "release": 113}}
NOWHERE = "http://genomes.invalid"


@pytest.fixture(scope="module")
def servers():
    """(site, {protocol: base URL}) of one site behind both protocols."""
    site = Site()
    with http_site(site) as http, ftp_site(site) as ftp:
        yield site, {"http": http, "ftp": ftp}


@pytest.fixture
def site(servers):
    site = servers[0]
    site.files.clear(), site.acts.clear(), site.always.clear(), site.requests.clear()
    return site


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch):
    for name in ("DNALM_DATA", "NCBI_API_KEY", "NCBI_EMAIL", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["http", "ftp"])
def base(servers, request):
    return servers[1][request.param]


@pytest.fixture
def http(servers):
    return servers[1]["http"]


def patient(base, **mirrors):
    """Settings with one server for everything, but for what is named; never the real ones."""
    places = {"ncbi": "/genomes/all", "ncbi_datasets": "/v2", "ncbi_entrez": "/entrez", "ensembl": "/pub",
              "ensembl_genomes": "/eg", "ucsc": "/goldenPath", "s3": "/s3"}  # fmt: skip
    assert set(places) == set(SERVICES)
    found = {name: [base + path] for name, path in places.items()} | mirrors
    return Settings(mirrors=found, attempts=2, backoff=0.01, read_timeout=20.0)


def get(source, tmp_path, settings):
    """Acquire a genome; (record, {role: bytes})."""
    folder = acquire(source, tmp_path, settings)
    record = json.loads((folder / "download.json").read_text())
    return record, {file["role"]: (folder / file["name"]).read_bytes() for file in record["files"]}


def test_an_assembly_of_ncbi(site, base, http, tmp_path):
    made = add_ncbi(site)
    add_ncbi(site, "GCF_000005845.1", "ASM584v1", seed=5)
    record, files = get({"ncbi": ECOLI}, tmp_path, patient(base))
    expected = {"sequence": "_genomic.fna.gz", "annotation": "_genomic.gff.gz", "report": "_assembly_report.txt"}
    assert files == {role: made["files"][made["stem"] + end] for role, end in expected.items()}
    assert record["assembly"] == f"{ECOLI}_ASM584v2"
    assert all(file["provider_checksum"]["kind"] == "md5" for file in record["files"])
    assert record["mirror"] == f"{base}/genomes/all/GCF/000/005/845"


@pytest.mark.parametrize(
    ("include", "roles"), [("genbank", {"sequence", "report"}), ("sequence", {"sequence", "report"})]
)
def test_other_formats_of_ncbi(site, http, tmp_path, include, roles):
    made = add_ncbi(site)
    _, files = get({"ncbi": ECOLI, "include": include}, tmp_path, patient(http))
    assert set(files) == roles
    end = {"genbank": "_genomic.gbff.gz", "sequence": "_genomic.fna.gz"}[include]
    assert files["sequence"] == made["files"][made["stem"] + end]


def test_an_own_file_name_says_the_format(site, http, tmp_path):
    made = add_ncbi(site)
    name = f"{made['stem']}_genomic.gbff.gz"
    _, files = get({"ncbi": ECOLI, "file": name}, tmp_path, patient(http))
    assert files["sequence"] == made["files"][name]


@pytest.mark.parametrize(
    ("accession", "words"),
    [
        ("GCF_000005845.7", r"GCF_000005845\.7 is not in the folder .*Known: GCF_000005845\.1, GCF_000005845\.2"),
        (
            "GCF_000005845",
            r"GCF_000005845 has several versions .* Name one\. Known: GCF_000005845\.1, GCF_000005845\.2",
        ),
        ("GCF_999999999.1", r"no such file \(404"),
        ("banana", r"'banana' is no accession of NCBI\. Assemblies look like GCF_000005845\.2"),
    ],
)
def test_accessions_that_are_not_there(site, http, tmp_path, accession, words):
    add_ncbi(site)
    add_ncbi(site, "GCF_000005845.1", "ASM584v1")
    with pytest.raises(DownloadError, match=words) as error:
        get({"ncbi": accession}, tmp_path, patient(http))
    assert error.value.kind == "missing"


def test_an_old_assembly_without_sequence(site, http, tmp_path):
    site.add(
        "/genomes/all/GCF/000/005/845/GCF_000005845.1_ASM584v1/GCF_000005845.1_ASM584v1_assembly_report.txt", b"#\n"
    )
    with pytest.raises(DownloadError, match=r"has no \*_genomic\.fna\.gz.* NCBI keeps only reports of old"):
        get({"ncbi": "GCF_000005845.1"}, tmp_path, patient(http))


def test_an_assembly_without_annotation_is_fetched_with_a_word(site, http, tmp_path, caplog):
    add_ncbi(site, gff=False)
    _, files = get({"ncbi": ECOLI}, tmp_path, patient(http))
    assert set(files) == {"sequence", "report"}
    assert "has no annotation" in caplog.text


def test_a_checksum_of_the_list_that_does_not_fit(site, base, http, tmp_path):
    made = add_ncbi(site)
    name = f"{made['stem']}_genomic.fna.gz"
    site.add(f"{made['place']}/{name}", packed(fasta(seed=99)))
    with pytest.raises(DownloadError, match=r"md5 of GCF_.*fna\.gz is .*, the provider's list says") as error:
        get({"ncbi": ECOLI}, tmp_path, patient(base, ncbi_datasets=[f"{http}/none"]))
    assert error.value.kind == "damaged"


@pytest.mark.parametrize("left", [None, "_assembly_stats.txt"], ids=["missing", "incomplete"])
def test_a_list_of_ncbi_that_does_not_tell_is_said(site, http, tmp_path, caplog, left):
    made = add_ncbi(site)
    path = f"{made['place']}/md5checksums.txt"
    kept = [line for line in site.files.pop(path).decode().splitlines(True) if left and left in line]
    if kept:
        site.add(path, "".join(kept).encode())
    record, _ = get({"ncbi": ECOLI}, tmp_path, patient(http))
    assert [file["provider_checksum"] for file in record["files"]] == [None] * 3
    told = "has no checksum of" if left else "cannot be compared with a checksum"
    assert sum(told in message for message in caplog.messages) == 3


def test_datasets_is_the_second_place(site, http, tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("NCBI_API_KEY", "secret")
    caplog.set_level(logging.INFO)
    site.add(f"/v2/genome/accession/{ECOLI}/download", datasets_zip())
    record, files = get({"ncbi": ECOLI}, tmp_path, patient(http, ncbi=[f"{NOWHERE}/all"]))
    assert files == {"sequence": fasta(), "annotation": GFF3}
    assert [file["name"] for file in record["files"]] == [f"{ECOLI}_ASM584v2_genomic.fna", f"{ECOLI}_genomic.gff"]
    (request,) = site.requests
    assert "include_annotation_type=GENOME_FASTA&include_annotation_type=GENOME_GFF" in request.path
    assert request.headers["api-key"] == "secret"
    assert "secret" not in caplog.text + json.dumps(record)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (datasets_zip(damage=True), r"md5 of .*fna is .*, the package's list says"),
        (datasets_zip()[:-30], r"directory is missing, so it was cut short|damaged zip file"),
        (datasets_zip(accession="GCF_000000001.1"), r"the package has no file for the sequence"),
        (bytes(byte ^ (i == len(datasets_zip()) // 2) for i, byte in enumerate(datasets_zip())), r"damaged zip file"),
        (b'{"error": "no such accession"}', r"a web page or an error message came in place of GCF_000005845\.2\.zip"),
    ],
    ids=["checksum", "cut", "other genome", "bits", "json"],
)
def test_packages_that_are_no_good(site, http, tmp_path, data, words):
    site.add(f"/v2/genome/accession/{ECOLI}/download", data)
    with pytest.raises(DownloadError, match=words):
        get({"ncbi": ECOLI}, tmp_path, patient(http, ncbi=[f"{NOWHERE}/all"]))
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".fna", ".zip", ".part")]


def test_a_record_of_entrez(site, http, tmp_path, monkeypatch):
    monkeypatch.setenv("NCBI_API_KEY", "secret")
    monkeypatch.setenv("NCBI_EMAIL", "me@example.org")
    site.add("/entrez/efetch.fcgi", genbank())
    site.plan("/entrez/efetch.fcgi", Act(status=429, headers={"Retry-After": "0"}), Act(chunked=True, validators=False))
    record, files = get({"ncbi": "NC_000913.3"}, tmp_path, patient(http))
    assert files == {"sequence": genbank()}
    assert record["files"][0]["name"] == "NC_000913.3.gb"
    asked = site.requests[-1].path
    for part in ("db=nuccore", "id=NC_000913.3", "rettype=gbwithparts", "retmode=text", "tool=dnalm", "api_key=secret"):
        assert part in asked
    assert "secret" not in json.dumps(record)
    assert "me@" not in json.dumps(record)


def test_another_record_than_asked_for_is_refused(site, http, tmp_path):
    site.add("/entrez/efetch.fcgi", genbank("NC_000913.2"))
    with pytest.raises(DownloadError, match=r"NC_000913\.3 was asked for, .*NC_000913\.2 came"):
        get({"ncbi": "NC_000913.3"}, tmp_path, patient(http))


def test_ensembl(site, base, tmp_path):
    made = add_ensembl(site)
    record, files = get(YEAST, tmp_path, patient(base))
    assert files["sequence"] == made["dna"][f"{made['stem']}.dna_sm.toplevel.fa.gz"]
    assert files["annotation"] == made["gff"][f"{made['stem']}.113.gff3.gz"]
    assert (record["release"], record["assembly"]) == ("113", "R64-1-1")
    assert record["files"][0]["provider_checksum"] == {"kind": "bsd_sum", "value": bsd_sum(files["sequence"])}


def test_the_primary_assembly_is_preferred(site, http, tmp_path):
    made = add_ensembl(site, primary=True)
    _, files = get(YEAST, tmp_path, patient(http))
    assert files["sequence"] == made["dna"][f"{made['stem']}.dna_sm.primary_assembly.fa.gz"]


def test_sums_of_ensembl_are_compared(site, http, tmp_path):
    made = add_ensembl(site)
    site.add(f"{made['folder']}/{made['stem']}.dna_sm.toplevel.fa.gz", packed(fasta(seed=50)))
    with pytest.raises(DownloadError, match=r"bsd_sum of .* is \d+ \d+, the provider's list says \d+ \d+"):
        get(YEAST, tmp_path, patient(http))


def test_a_missing_list_of_sums_is_said(site, http, tmp_path, caplog):
    made = add_ensembl(site)
    del site.files[f"{made['folder']}/CHECKSUMS"]
    record, _ = get(YEAST, tmp_path, patient(http))
    assert record["files"][0]["provider_checksum"] is None
    assert "cannot be compared with a checksum" in caplog.text


@pytest.mark.parametrize("collection", [None, "bacteria_0_collection"])
def test_ensembl_genomes_with_and_without_collections(site, base, tmp_path, collection):
    species = "escherichia_coli_str_k_12_substr_mg1655_gca_000005845"
    root = "/eg/bacteria/release-60"
    inner = f"{collection}/{species}" if collection else None
    made = add_ensembl(site, root, species, "ASM584v2", 60, inner)
    head = "#name\tspecies\tdivision\ttaxonomy_id\tassembly\tassembly_accession\tgenebuild\tvariation\tmicroarray"
    row = f"E. coli\t{species}\tEnsemblBacteria\t511145\tASM584v2\tGCA_000005845.2\t2018\tN\tN\tY\tY\tY\tN"
    table = f"{head}\n{row}\tbacteria_0_collection_core_60_113_1\t1\n"
    site.add(f"{root}/species_EnsemblBacteria.txt", table.encode())
    asked = {"ensembl": {"species": species, "release": 60, "division": "bacteria"}}
    record, files = get(asked, tmp_path, patient(base))
    assert files["sequence"] == made["dna"][f"{made['stem']}.dna_sm.toplevel.fa.gz"]
    assert record["division"] == "bacteria"
    asked["ensembl"]["species"] = species[:-1]
    with pytest.raises(DownloadError, match=rf"no species .* Did you mean {species}\?"):
        get(asked, tmp_path, patient(base))


@pytest.mark.parametrize(
    ("species", "release", "words"),
    [
        ("saccharomyces_cerevisia", 113, r"no species .*Did you mean saccharomyces_cerevisiae\?"),
        ("zea_mays", 113, r"no species 'zea_mays'\. Other divisions: fungi, plants"),
        ("saccharomyces_cerevisiae", 999, r"there is no such release"),
    ],
)
def test_species_and_releases_that_are_not_there(site, base, tmp_path, species, release, words):
    add_ensembl(site)
    with pytest.raises(DownloadError, match=words):
        get({"ensembl": {"species": species, "release": release}}, tmp_path, patient(base))


def test_ucsc(site, base, tmp_path):
    made = add_ucsc(site)
    record, files = get({"ucsc": {"assembly": "sacCer3"}}, tmp_path, patient(base))
    assert files["sequence"] == made["files"]["sacCer3.fa.gz"]
    assert files["annotation"] == made["files"]["genes/sacCer3.ncbiRefSeq.gtf.gz"]
    assert record["track"] == "ncbiRefSeq"
    assert record["files"][0]["provider_checksum"]["kind"] == "md5"
    assert record["files"][1]["provider_checksum"] is None


def test_tracks_of_ucsc(site, http, tmp_path, caplog):
    made = add_ucsc(site)
    record, files = get({"ucsc": {"assembly": "sacCer3", "track": "ensGene"}}, tmp_path, patient(http))
    assert files["annotation"] == made["files"]["genes/sacCer3.ensGene.gtf.gz"]
    with pytest.raises(DownloadError, match=r"no track 'refGen' of sacCer3.*Known: ensGene, ncbiRefSeq"):
        get({"ucsc": {"assembly": "sacCer3", "track": "refGen"}}, tmp_path, patient(http))
    add_ucsc(site, "wuhCor1", tracks=(), fa=False)
    record, _ = get({"ucsc": {"assembly": "wuhCor1"}}, tmp_path, patient(http))
    assert [file["name"] for file in record["files"]] == ["wuhCor1.2bit"]
    assert "no gene tracks" in caplog.text


def test_urls_with_an_annotation_elsewhere(site, servers, tmp_path):
    site.add("/a/x.fna.gz", packed(fasta()))
    site.add("/b/y.gff3.gz", packed(GFF3))
    bases = servers[1]
    source = {"url": f"{bases['http']}/a/x.fna.gz", "annotation": f"{bases['ftp']}/b/y.gff3.gz"}
    _, files = get(source, tmp_path, patient(bases["http"]))
    assert files == {"sequence": packed(fasta()), "annotation": packed(GFF3)}
    with pytest.raises(DownloadError, match=r"sha256 of y\.gff3\.gz is .*, the config asks for 0000"):
        get({**source, "annotation_sha256": "0" * 64}, tmp_path, patient(bases["http"]))
    with pytest.raises(DownloadError, match=r"md5 of x\.fna\.gz is .*, the config asks for 0000"):
        get({**source, "md5": "0" * 32}, tmp_path, patient(bases["http"]))


def test_an_annotation_by_url_replaces_that_of_the_provider(site, http, tmp_path):
    add_ncbi(site)
    site.add("/b/better.gff3", GFF3)
    _, files = get({"ncbi": ECOLI, "annotation": f"{http}/b/better.gff3"}, tmp_path, patient(http))
    assert files["annotation"] == GFF3
    assert not [request for request in site.requests if "gff.gz" in request.path]


def test_a_url_that_ends_in_no_name_needs_one(site, http, tmp_path):
    site.add("/get", packed(fasta()))
    with pytest.raises(
        DownloadError, match=r"'get' does not say which format it is.* Give the file a name with `file`"
    ):
        get({"url": f"{http}/get?id=7"}, tmp_path, patient(http))
    record, _ = get({"url": f"{http}/get?id=7", "file": "x.fa.gz"}, tmp_path, patient(http))
    assert record["files"][0]["name"] == "x.fa.gz"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            {"url": "{http}/x.fa", "annotation": "{http}/get?f=gff"},
            r"'get' does not say .* as `annotation`, with .*\.bed",
        ),
        ({"url": "{http}/get"}, r"Give the file a name with `file`, with one of \.fa, (?!.*\.(vcf|bcf|bed))"),
        ({"url": "{http}/get", "of": "variants"}, r"'get' does not .* as `vcf`, with one of \.vcf, \.bcf, and"),
        ({"url": "{http}/x.zip"}, r"x\.zip is an archive\. Unpack it"),
        ({"url": "{http}/x.fa", "file": "sub/x.fa"}, r"genomes: file: 'sub/x\.fa' names a folder"),
        ({"url": "{http}/x.fa", "file": "../../x.fa"}, r"genomes: file: .* names a folder"),
        ({"url": "file:///nowhere/x.fa"}, r"file:///nowhere/x\.fa: no such file\. Check the path"),
    ],
)
def test_urls_that_are_refused_before_anything_is_downloaded(site, http, tmp_path, source, words):
    site.add("/x.fa", fasta())
    with pytest.raises(DownloadError, match=words):
        get({key: value.replace("{http}", http) for key, value in source.items()}, tmp_path, patient(http))
    assert not site.requests
    assert not list(tmp_path.rglob("*.fa"))


def test_names_cannot_lead_out_of_the_folder(site, http, tmp_path):
    site.add("/a/..%2F..%2Fx.fa", fasta())
    record, _ = get({"url": f"{http}/a/..%2F..%2Fx.fa"}, tmp_path / "cache", patient(http))
    assert record["files"][0]["name"] == "x.fa"
    assert not (tmp_path / "x.fa").exists()


def test_public_buckets_of_s3(site, http, tmp_path):
    from dnalm.download.providers.url import s3_to_https

    site.add("/s3/bucket/a/x.fa", fasta())
    _, files = get({"url": "s3://bucket/a/x.fa"}, tmp_path, patient(http))
    assert files["sequence"] == fasta()
    plain = Settings()
    assert s3_to_https("s3://ngi-igenomes/a b/x.fa", plain) == "https://ngi-igenomes.s3.amazonaws.com/a%20b/x.fa"
    assert s3_to_https("s3://a.b/x.fa", plain) == "https://s3.amazonaws.com/a.b/x.fa"
    site.plan("/s3/bucket/a/x.fa", always=Act(status=403, body=b"<Error>AccessDenied</Error>"))
    with pytest.raises(
        DownloadError, match=r"refuses \(403.* The bucket is not public: .*aws s3 cp s3://bucket/a/x\.fa"
    ):
        get({"url": "s3://bucket/a/x.fa", "sha256": "0" * 64}, tmp_path, patient(http))


def test_all_mirrors_are_asked_in_turn(site, http, tmp_path, caplog):
    add_ucsc(site)
    site.plan("/bad/sacCer3/bigZips/", always=Act(status=503))
    settings = patient(http, ucsc=[f"{NOWHERE}/gp", f"{http}/bad", f"{http}/goldenPath"])
    record, _ = get({"ucsc": {"assembly": "sacCer3"}}, tmp_path, settings)
    assert record["mirror"] == f"{http}/goldenPath/sacCer3/bigZips"
    assert f"{NOWHERE}/gp" in caplog.text


def test_mirrors_of_the_environment_beat_those_of_the_config(monkeypatch):
    settings = settings_of({"mirrors": {"ncbi": ["http://config/x/"], "ucsc": []}, "attempts": 3})
    assert settings.bases("ncbi") == ["http://config/x"]
    assert settings.bases("ucsc") == list(SERVICES["ucsc"])
    assert settings.attempts == 3
    monkeypatch.setenv("DNALM_MIRROR_NCBI", "http://one/ http://two")
    assert settings.bases("ncbi") == ["http://one", "http://two"]


def test_proxies_of_the_environment(site, http, tmp_path, monkeypatch):
    site.add("/x.fa", fasta())
    monkeypatch.setenv("http_proxy", http)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    settings = patient(http)
    item = RemoteFile("sequence", "x.fa", f"{NOWHERE}/x.fa")
    fetch(item, tmp_path, Client(settings))
    assert site.requests[-1].headers["Host"] == "genomes.invalid"
    (tmp_path / "x.fa").unlink()
    monkeypatch.setenv("no_proxy", "genomes.invalid")
    with pytest.raises(DownloadError, match="no connection"):
        fetch(item, tmp_path, Client(settings))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_certificates_of_the_environment(site, tmp_path, monkeypatch, variable):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
               "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    site.add("/x.fa", fasta())
    with http_site(site, context) as base:
        item, settings = RemoteFile("sequence", "x.fa", f"{base}/x.fa"), patient(base)
        with pytest.raises(DownloadError, match=r"certificate is not trusted .* set SSL_CERT_FILE"):
            fetch(item, tmp_path, Client(settings))
        monkeypatch.setenv(variable, str(certificate))
        fetch(item, tmp_path, Client(settings))
    assert (tmp_path / "x.fa").read_bytes() == fasta()


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 100_000])
def test_sums_are_those_of_coreutils(size):
    import numpy as np

    data = np.random.default_rng(size).bytes(size)
    digest = BsdSum()
    for start in range(0, size, 777):
        digest.update(data[start : start + 777])
    assert digest.hexdigest() == " ".join(str(int(word)) for word in bsd_sum(data).split())


def test_lists_of_checksums():
    a, b = "a" * 32, "B" * 32
    assert parse_md5(f"{a}  ./x_genomic.fna.gz\n{b} *y.2bit\nno line\n") == {"x_genomic.fna.gz": a, "y.2bit": b.lower()}
    assert parse_sums("05012 31 a.fa.gz\n7     1 /pub/b.fa.gz\n\n# c\n") == {"a.fa.gz": "5012 31", "b.fa.gz": "7 1"}


def test_names_in_listings():
    page = """<a href="?C=N;O=D">Name</a><a href="/pub/">Parent</a><a href='../'>up</a><A HREF="x_1%2B.fa.gz">x</a>
    <a href="./sub/">sub/</a><a href="http://elsewhere/y">y</a><a href="a&amp;b.gz">z</a>"""
    assert linked_names(page) == ["a&b.gz", "sub", "x_1+.fa.gz"]
