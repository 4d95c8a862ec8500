"""Downloads from real servers that do everything wrong: each ends with the right file, or with a clear error."""

import itertools
import socket
import time

import pytest
from helpers.mirror import DATE, Act, Site, fasta, ftp_site, genbank, http_site, md5, packed

from dnalm.download import pipeline
from dnalm.download.client import Client
from dnalm.download.faults import DownloadError
from dnalm.download.settings import Settings
from dnalm.download.transfer import RemoteFile, fetch
from dnalm.errors import InputError

DATA = packed(fasta(30_000))
OTHER = packed(fasta(30_000, seed=2))
PATIENT = Settings(attempts=4, backoff=0.01, read_timeout=20.0, connect_timeout=20.0)
HASTY = Settings(attempts=2, backoff=0.01, read_timeout=0.6, connect_timeout=20.0)
CUT, CUT_TEXT = Act(cut=4000), Act(cut=1500)
PAGE = b"<!DOCTYPE html><html><head><title>Please log in</title></head></html>"
HALF = len(DATA) // 2
DAMAGED = DATA[:HALF] + bytes([DATA[HALF] ^ 1]) + DATA[HALF + 1 :]


@pytest.fixture(scope="module")
def servers():
    """(site, base URL) by protocol."""
    web, files = Site(), Site()
    with http_site(web) as http, ftp_site(files) as ftp:
        yield {"http": (web, http), "ftp": (files, ftp)}


numbers = itertools.count()


def download(servers, tmp_path, acts=(), always=None, data=DATA, name="x.fa.gz", protocol="http", settings=PATIENT,
             **promises):  # fmt: skip
    """Fetch a file; returns its record and the requests that came."""
    site, base = servers[protocol]
    path = f"/f{next(numbers)}/{name}"
    site.add(path, data)
    site.plan(path, *acts, always=always)
    try:
        record = fetch(RemoteFile("sequence", name, base + path, **promises), tmp_path, Client(settings))
    except DownloadError as error:
        assert isinstance(error, InputError)
        assert "\n" not in str(error)
        assert not (tmp_path / name).exists()
        raise
    assert not (tmp_path / f"{name}.part").exists()
    assert record["bytes"] == (tmp_path / name).stat().st_size
    verb = {"http": "GET", "ftp": "RETR"}[protocol]
    return record, [r for r in site.requests if r.path == path and r.method == verb]


def started_at(request) -> int:
    return int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


def date_in(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))


BUSY = Act(status=503, headers={"Retry-After": "0"})
SAVED = {
    "nothing wrong": ([], [0]),
    "cut once": ([CUT], [0, 4000]),
    "cut three times": ([CUT, CUT, CUT], [0, 4000, 8000, 12000]),
    "cut at the first byte": ([Act(cut=0)], [0, 0]),
    "cut before the last byte": ([Act(cut=len(DATA) - 1)], [0, len(DATA) - 1]),
    "cut in pieces of one byte": ([Act(piece=1, drip=0.0005, cut=60)], [0, 60]),
    "closed without an answer": ([Act(reset=True)], [0, 0]),
    "promises more once": ([Act(length=len(DATA) + 9)], [0, len(DATA), 0]),
    "promises less once": ([Act(length=HALF)], [0, 0]),
    "busy, 429": ([Act(status=429, headers={"Retry-After": "0"})] * 2, [0, 0, 0]),
    "busy, 503 until a date": ([Act(status=503, headers={"Retry-After": date_in(-5)})], [0, 0]),
    "in trouble, 500": ([Act(status=500)], [0, 0]),
    "in trouble, 502 and 504": ([Act(status=502), Act(status=504)], [0, 0, 0]),
    "busy in the middle": ([CUT, BUSY], [0, 4000, 4000]),
    "no ranges": ([CUT, Act(ranges=False)], [0, 4000]),
    "416 in the middle": ([CUT, Act(status=416)], [0, 4000, 0]),
    "another part than asked for": ([CUT, Act(shift=7)], [0, 4000, 0]),
    "another ETag with the rest": ([CUT, Act(etag='"other"')], [0, 4000, 0]),
    "a weak ETag": ([Act(cut=4000, etag='W/"weak"'), Act(etag='W/"weak"')], [0, 4000]),
    "nothing to tell versions apart": ([Act(cut=4000, validators=False), Act(validators=False)], [0, 0]),
    "chunked": ([Act(chunked=True)], [0]),
    "chunked and cut": ([Act(chunked=True, cut=4000)], [0, 4000]),
    "a page once": ([Act(body=PAGE)], [0, 0]),
    "nothing once": ([Act(body=b"")], [0, 0]),
    "damaged once": ([Act(body=DAMAGED)], [0, 0]),
}


@pytest.mark.parametrize("case", SAVED)
def test_a_fault_that_passes_costs_another_try(servers, tmp_path, case):
    acts, starts = SAVED[case]
    record, requests = download(servers, tmp_path, acts, promised={"md5": md5(DATA)} if "promises" in case else {})
    assert (tmp_path / "x.fa.gz").read_bytes() == DATA
    assert [started_at(request) for request in requests] == starts
    assert record["bytes"] == len(DATA)


def test_a_part_is_continued_only_under_the_condition_that_it_is_the_same_version(servers, tmp_path):
    _, requests = download(servers, tmp_path, [CUT])
    assert requests[1].headers["If-Range"] == servers["http"][0].etag(requests[1].path)
    (tmp_path / "x.fa.gz").unlink()
    _, requests = download(servers, tmp_path, [Act(cut=4000, etag='W/"weak"'), Act(etag='W/"weak"')])
    assert requests[1].headers["If-Range"] == DATE


def test_without_a_version_a_part_is_continued_if_a_checksum_will_tell(servers, tmp_path):
    acts = [Act(cut=4000, validators=False), Act(validators=False)]
    _, requests = download(servers, tmp_path, acts, promised={"md5": md5(DATA)})
    assert [started_at(request) for request in requests] == [0, 4000]


PLAIN, UNSAID = fasta(3000), Act(unsaid=True, validators=False)


@pytest.mark.parametrize("cut", [1500, len(PLAIN)])
def test_a_plain_file_of_unknown_length_is_refused(servers, tmp_path, cut):
    """Whether it is whole cannot be told, and no partial file may ever have the final name."""
    act = Act(unsaid=True, cut=cut)
    with pytest.raises(DownloadError, match=r"not say how long x\.fa is.* Give the checksum .* `sha256`") as error:
        download(servers, tmp_path, always=act, data=PLAIN, name="x.fa")
    assert error.value.kind == "refused"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "data", "promises"),
    [
        ("x.fa", PLAIN, {"pinned": {"md5": md5(PLAIN)}}),
        ("x.fa", PLAIN, {"promised": {"md5": md5(PLAIN)}}),
        ("x.fa.gz", DATA, {}),
        ("x.gb", genbank(), {}),
    ],
)
def test_an_unknown_length_is_recorded_where_the_end_is_proved(servers, tmp_path, caplog, name, data, promises):
    record, _ = download(servers, tmp_path, always=UNSAID, data=data, name=name, **promises)
    assert record["length_known"] is False
    assert "does not say how long" in caplog.text
    again, _ = download(servers, tmp_path, always=UNSAID, data=data, name=name, **promises)
    assert again["length_known"] is False


@pytest.mark.parametrize("act", [Act(chunked=True), Act()])
def test_the_last_chunk_and_a_length_tell_the_end(servers, tmp_path, caplog, act):
    record, _ = download(servers, tmp_path, always=act, data=PLAIN, name="x.fa")
    assert "length_known" not in record
    assert "how long" not in caplog.text
    with pytest.raises(DownloadError, match="broke"):
        download(servers, tmp_path, always=Act(chunked=act.chunked, cut=1500, ranges=False), data=PLAIN, name="y.fa")


def test_lists_that_are_cut_are_asked_for_again(servers, caplog):
    site, base = servers["http"]
    site.add("/list.txt", PLAIN)
    site.plan("/list.txt", CUT_TEXT, Act(chunked=True, cut=1500), Act())
    assert Client(PATIENT).text(f"{base}/list.txt").encode() == PLAIN
    assert "whether it is whole" not in caplog.text
    site.plan("/list.txt", UNSAID)
    Client(PATIENT).text(f"{base}/list.txt")
    assert "whether it is whole is not known" in caplog.text


@pytest.mark.parametrize("ignores", [False, True], ids=["whole file again", "part of the new one"])
def test_a_file_that_changed_between_two_tries_is_never_mixed(servers, tmp_path, ignores):
    second = Act(swap=OTHER, etag='"new"' if ignores else None)
    download(servers, tmp_path, [CUT, second, Act()])
    assert (tmp_path / "x.fa.gz").read_bytes() == OTHER


def test_redirects_are_followed_and_recorded(servers, tmp_path):
    site, base = servers["http"]
    site.add("/elsewhere/y.fa.gz", DATA)
    record, _ = download(servers, tmp_path, [Act(status=302, headers={"Location": "/elsewhere/y.fa.gz"})])
    assert record["redirected_to"] == f"{base}/elsewhere/y.fa.gz"
    assert (tmp_path / "x.fa.gz").read_bytes() == DATA


LOST = {
    "cut every time": ({"always": CUT, "data": packed(fasta(300_000))}, "unreachable", r"broke .* after 4 tries"),
    "closed every time": ({"always": Act(reset=True)}, "unreachable", r"no connection .* after 4 tries"),
    "promises more every time": ({"always": Act(length=len(DATA) + 9)}, "changed|unreachable", r"changed|broke"),
    "promises less every time": ({"always": Act(length=HALF)}, "damaged", r"x\.fa\.gz is cut short"),
    "another checksum": ({"promised": {"md5": "0" * 32}}, "damaged", r"md5 of .*, the provider's list says"),
    "another pinned one": ({"pinned": {"sha256": "0" * 64}}, "damaged", r"sha256 of .*, the config asks for 0000"),
    "busy for a day": ({"always": Act(status=503, headers={"Retry-After": "86400"})}, "unreachable", r"wait 86400 s"),
    "busy every time": ({"always": BUSY}, "unreachable", r"trouble or busy \(503 .*after 4 tries"),
    "in a circle": (
        {"always": Act(status=302, headers={"Location": "x.fa.gz"})}, "refused", r"redirects in a circle"
    ),
    "led into nothing": ({"always": Act(status=302, headers={"Location": "/no"})}, "missing", r"no such file \(404"),
    "a page": ({"always": Act(body=PAGE)}, "damaged", r'a web page .*\("Please log in"\) came in place of x\.fa\.gz'),
    "a packed page": ({"data": packed(PAGE)}, "damaged", r"a web page"),
    "an error of S3": ({"always": Act(body=b'<?xml version="1.0"?><Error>')}, "damaged", r"a web page or an error"),
    "truncated gzip": ({"data": DATA[:HALF]}, "damaged", r"cut short: its compressed data do not end after 2 tries"),
    "damaged gzip": ({"data": DAMAGED}, "damaged", r"damaged gzip"),
    "wrong checksum inside": ({"data": DATA[:-8] + b"\1\2\3\4" + DATA[-4:]}, "damaged", r"gzip \(.*ncorrect checksum"),
    "rubbish after it": ({"data": DATA + b"rubbish"}, "damaged", r"other bytes after its compressed data"),
    "not packed at all": ({"data": fasta(600)}, "damaged", r"x\.fa\.gz is not gzip: it begins with b'>chr1"),
    "empty": ({"data": b""}, "damaged", r"x\.fa\.gz is empty"),
    "three bytes": ({"data": b"\x1f\x8b\x08"}, "damaged", r"only 3 bytes long"),
    "another format": ({"data": packed(b"chr1\t1\t2\n")}, "damaged", r"not FASTA: it begins with b'chr1"),
    "half a record": ({"data": genbank()[:-3], "name": "x.gb"}, "damaged", r"not GenBank: .* does not end with //"),
    "no table": ({"data": b"a b\n", "name": "x.gff3"}, "damaged", r"not GFF3: a line has 1 columns, not 9"),
    "not 2bit": ({"data": b"abcdefgh", "name": "x.2bit"}, "damaged", r"not 2bit"),
    "half a zip": ({"data": b"PK\3\4" + bytes(99), "name": "x.zip"}, "damaged", r"directory is missing"),
    "packed on the way": (
        {"always": Act(headers={"Content-Encoding": "gzip"}), "name": "x.fa", "data": fasta()}, "refused", r"packs"
    ),
    "next to nothing": (
        {"always": Act(piece=1, drip=0.2), "settings": HASTY}, "unreachable", r"sends next to nothing after 2 tries"
    ),
    "silence": ({"always": Act(stall=1.5), "settings": HASTY}, "unreachable", r"does not answer in time"),
    "404": ({"always": Act(status=404)}, "missing", r"no such file \(404 Not Found\)$"),
    "410": ({"always": Act(status=410)}, "missing", r"no such file \(410 Gone\)$"),
    "401": ({"always": Act(status=401)}, "refused", r"refuses \(401 Unauthorized\)$"),
    "403 with a word": (
        {"always": Act(status=403, body=b"no bots", headers={"Content-Type": "text/plain"})}, "refused", r": no bots$"
    ),
    "416 at once": ({"always": Act(status=416)}, "refused", r"refuses \(416"),
}  # fmt: skip


@pytest.mark.parametrize("case", LOST)
def test_a_fault_that_stays_is_an_error_in_words(servers, tmp_path, case):
    how, kind, words = LOST[case]
    with pytest.raises(DownloadError, match=words) as error:
        download(servers, tmp_path, **how)
    assert error.value.kind in kind.split("|")
    assert error.value.where.startswith("http://127.0.0.1")


FTP = {
    "cut once": ([CUT], ["4000"]),
    "cut twice": ([CUT, CUT], ["4000", "8000"]),
    "busy": ([Act(code="421 too many users")], []),
    "the line goes dead": ([Act(cut=4000, reset=True)], ["4000"]),
}


@pytest.mark.parametrize("case", FTP)
def test_ftp_goes_on_after_faults(servers, tmp_path, case):
    acts, rests = FTP[case]
    servers["ftp"][0].requests.clear()
    record, _ = download(servers, tmp_path, acts, protocol="ftp", promised={"md5": md5(DATA)})
    assert (tmp_path / "x.fa.gz").read_bytes() == DATA
    assert [r.path for r in servers["ftp"][0].requests if r.method == "REST"] == rests
    assert record["url"].startswith("ftp://127.0.0.1")


@pytest.mark.parametrize("unknown", ["REST", "SIZE", "MDTM"])
def test_ftp_servers_that_know_few_commands(servers, tmp_path, unknown, monkeypatch):
    monkeypatch.setattr(servers["ftp"][0], "unknown", {unknown})
    download(servers, tmp_path, [CUT], protocol="ftp", promised={"md5": md5(DATA)})
    assert (tmp_path / "x.fa.gz").read_bytes() == DATA


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ({"always": CUT, "data": packed(fasta(300_000))}, "unreachable", r"426 cut.* after 4 tries"),
        ({"always": Act(code="550 gone")}, "missing", r"no such file \(550 gone\)$"),
        ({"always": Act(code="530 no")}, "refused", r"the server refuses \(530 no\)$"),
        ({"data": DATA[:HALF]}, "damaged", r"cut short"),
        ({"always": Act(stall=1.5), "settings": HASTY}, "unreachable", r"does not answer in time"),
    ],
    ids=["cut every time", "550", "530", "truncated", "silence"],
)
def test_ftp_gives_up_in_words(servers, tmp_path, how, kind, words):
    with pytest.raises(DownloadError, match=words) as error:
        download(servers, tmp_path, protocol="ftp", **how)
    assert error.value.kind == kind


def test_ftp_notices_another_version_by_its_date(servers, tmp_path):
    download(servers, tmp_path, [CUT, Act(code="421 wait", swap=OTHER)], protocol="ftp")
    assert (tmp_path / "x.fa.gz").read_bytes() == OTHER


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("http://genomes.invalid/x.fa.gz", "unreachable", "no connection .* after 2 tries"),
        ("ftp://genomes.invalid/x.fa.gz", "unreachable", "no connection .* after 2 tries"),
        ("gopher://here/x.fa.gz", "refused", "no downloads from gopher"),
        ("http://[broken/x.fa.gz", "refused", "this is no URL"),
        ("http://here:bad/x.fa.gz", "refused", "this is no URL"),
        ("ftp://here:bad/x.fa.gz", "refused", "this is no URL .*bad"),
        ("ftp:///x.fa.gz", "refused", "this is no URL .*names no server"),
    ],
)
def test_places_that_are_none(tmp_path, monkeypatch, url, kind, words):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DownloadError, match=words) as error:
        fetch(RemoteFile("sequence", "x.fa.gz", url), tmp_path, Client(PATIENT))
    assert error.value.kind == kind


def test_a_line_end_in_a_name_is_no_command_of_ftp(servers, tmp_path):
    _, base = servers["ftp"]
    with pytest.raises(DownloadError, match="this is no URL to download from"):
        fetch(RemoteFile("sequence", "x.fa", f"{base}/a%0ADELE%20b.fa"), tmp_path, Client(PATIENT))


def test_a_server_that_is_down(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"no connection \(Connection refused\) after 4 tries"):
        fetch(RemoteFile("sequence", "x.fa", f"http://127.0.0.1:{port}/x.fa"), tmp_path, Client(PATIENT))


def test_no_room_is_told_before_anything_is_written(servers, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "free_bytes", lambda folder: 100)
    with pytest.raises(DownloadError, match=rf"no space for x\.fa\.gz: {len(DATA):,} bytes are needed, 100 are free"):
        download(servers, tmp_path)


def test_a_full_disk_is_told_and_the_part_is_kept(servers, tmp_path, monkeypatch):
    real = pipeline.Sink.write

    def full(self, block):
        real(self, block[:500])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pipeline.Sink, "write", full)
    with pytest.raises(DownloadError, match=r"cannot write here \(No space left on device") as error:
        download(servers, tmp_path)
    assert error.value.kind == "local"
    assert (tmp_path / "x.fa.gz.part").stat().st_size == 500


def test_secrets_stay_out_of_messages_and_records(servers, tmp_path, caplog):
    site, base = servers["http"]
    site.add("/s.fa.gz", DATA)
    site.plan("/s.fa.gz", Act(status=503))
    url = base.replace("//", "//me:secret@") + "/s.fa.gz?api_key=secret&id=7"
    record = fetch(RemoteFile("sequence", "s.fa.gz", url), tmp_path, Client(PATIENT))
    assert record["url"] == f"{base}/s.fa.gz?api_key=...&id=7"
    assert "secret" not in caplog.text + (tmp_path / "s.fa.gz.state.json").read_text()
    assert "api_key=secret" in site.requests[-1].path


def test_pauses_grow_and_are_bounded(monkeypatch):
    from dnalm.download.client import Tries
    from dnalm.download.faults import Fault

    monkeypatch.setattr("dnalm.download.client.random.uniform", lambda low, high: high)
    tries = Tries("x", Settings(attempts=9, backoff=1, longest_backoff=5, patience=21))
    assert [tries.failed(Fault("unreachable", "no", True)) for _ in range(5)] == [1, 2, 4, 5, 5]
    assert tries.failed(Fault("unreachable", "no", True), gained=2 << 20) == 1
    with pytest.raises(DownloadError, match="asks to wait 7 s"):
        tries.failed(Fault("unreachable", "busy", True, wait=7))
