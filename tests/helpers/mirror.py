"""Real HTTP and FTP servers on loopback, with the folders of the providers of genomes, and with faults.

Files are registered by path in a `Site`; what goes wrong is planned by request: ``site.plan(path, Act(cut=100))``.
"""

import contextlib
import gzip
import hashlib
import html
import io
import socket
import socketserver
import subprocess
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np

DATE = "Wed, 01 May 2024 10:00:00 GMT"
WHOLE = 1 << 60


@dataclass
class Act:
    """What happens to one request; by default the file is sent as a good server does."""

    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes | None = None  # instead of the file
    cut: int = WHOLE  # bytes after which the connection is closed
    length: int | None = None  # a Content-Length that lies
    ranges: bool = True  # whether Range is honoured
    etag: str | None = None  # another ETag than the file's
    validators: bool = True  # whether ETag and Last-Modified are sent
    chunked: bool = False
    unsaid: bool = False  # as HTTP/1.0: no length, and the end is where the connection is closed
    drip: float = 0.0  # seconds between pieces
    piece: int = 1 << 16
    stall: float = 0.0  # seconds before the answer
    swap: bytes | None = None  # the file is another one from now on
    shift: int = 0  # a part that begins elsewhere than it was asked for
    reset: bool = False  # the connection is closed without an answer
    code: str = ""  # FTP: this answer to RETR


@dataclass
class Request:
    method: str
    path: str
    headers: dict


class Site:
    """Files by path, planned acts by path, and the requests that came."""

    def __init__(self):
        self.files, self.acts, self.requests, self.lock = {}, {}, [], threading.Lock()
        self.always = {}
        self.sent = 0
        self.unknown = set()  # FTP: commands that the server does not know

    def add(self, path: str, data: bytes) -> bytes:
        self.files[path] = data
        return data

    def plan(self, path: str, *acts: Act, always: Act | None = None) -> None:
        """Acts of the next requests for a path, and of all that follow."""
        self.acts[path] = list(acts)
        if always:
            self.always[path] = always

    def next_act(self, path: str) -> Act:
        with self.lock:
            acts = self.acts.get(path)
            act = acts.pop(0) if acts else self.always.get(path, Act())
            if act.swap is not None:
                self.files[path] = act.swap
            return act

    def etag(self, path: str) -> str:
        return f'"{hashlib.md5(self.files[path]).hexdigest()[:16]}"'

    def children(self, folder: str) -> list[str] | None:
        """Names in a folder, folders with a slash; None if there is no such folder."""
        folder = folder.rstrip("/") + "/"
        inside = [path[len(folder) :] for path in self.files if path.startswith(folder)]
        return sorted({name.partition("/")[0] + "/" * ("/" in name) for name in inside}) or None

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.partition("?")[0] == path]


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        url = self.path if not self.path.startswith("http") else urlsplit(self.path).path  # of a proxy
        path = url.partition("?")[0]
        self.site.requests.append(Request("GET", url, dict(self.headers)))
        act = self.site.next_act(path)
        time.sleep(act.stall)
        with contextlib.suppress(OSError):
            self._answer(path, act)

    def _answer(self, path: str, act: Act):
        if act.reset:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif act.status:
            self._send(act.status, act.body or b"", act, act.headers)
        elif act.body is not None:
            self._send(200, act.body, act, act.headers)
        elif path in self.site.files:
            self._file(path, act)
        elif self.site.children(path) is None:
            self._send(404, b"<html><title>404 Not Found</title></html>", act, {"Content-Type": "text/html"})
        elif not path.endswith("/"):
            self._send(301, b"", act, {"Location": f"{path}/"})
        else:
            self._send(200, listing(path, self.site.children(path)), act, {"Content-Type": "text/html;charset=UTF-8"})

    def _file(self, path: str, act: Act):
        data = self.site.files[path]
        headers = {"Accept-Ranges": "bytes", "ETag": act.etag or self.site.etag(path), "Last-Modified": DATE}
        if not act.validators:
            headers = {}
        headers |= act.headers
        start = self._start(act, headers)
        if start is None:
            return self._send(200, data, act, headers)
        if start >= len(data):
            return self._send(416, b"no", act, {"Content-Range": f"bytes */{len(data)}"})
        start += act.shift
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(206, data[start:], act, headers)

    def _start(self, act: Act, headers: dict) -> int | None:
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if not asked or not act.ranges:
            return None
        if condition and not act.etag and condition not in (headers.get("ETag"), headers.get("Last-Modified")):
            return None
        return int(asked.removeprefix("bytes=").partition("-")[0])

    def _send(self, status: int, body: bytes, act: Act, headers: dict):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if act.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif not act.unsaid:
            self.send_header("Content-Length", str(len(body) if act.length is None else act.length))
        self.end_headers()
        for piece in pieces(body, act):
            self.site.sent += len(piece)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if act.chunked else piece)
        if act.unsaid or act.cut < len(body) or (act.length is not None and act.length > len(body)):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif act.chunked:
            self.wfile.write(b"0\r\n\r\n")


def pieces(body: bytes, act: Act):
    """What is sent of a body, in pieces, with pauses."""
    end = min(len(body), act.cut)
    step = act.piece if act.drip else max(end, 1)
    for start in range(0, end, step):
        yield body[start : min(start + step, end)]
        time.sleep(act.drip)


def listing(path: str, names: list[str]) -> bytes:
    """A folder as Apache shows it, which is what NCBI, Ensembl and UCSC run."""
    rows = [f'<a href="{html.escape(name)}">{html.escape(name)}</a>  2024-05-01 10:00  1.0K' for name in names]
    head = f"<html><head><title>Index of {path}</title></head><body><h1>Index of {path}</h1><pre>"
    sorts = '<a href="?C=N;O=D">Name</a> <a href="?C=M;O=A">Last modified</a><hr><a href="/pub/">Parent Directory</a>'
    return "\n".join([head + sorts, *rows, "</pre></body></html>"]).encode()


class _Ftp(socketserver.StreamRequestHandler):
    """USER PASS TYPE PASV EPSV SIZE MDTM REST RETR LIST NLST CWD QUIT of RFC 959 and RFC 3659."""

    site: Site

    def handle(self):
        self.folder, self.rest, self.data = "/", 0, None
        with contextlib.suppress(OSError):
            self.reply("220 mirror")
            while line := self.rfile.readline():
                verb, _, argument = line.decode().strip().partition(" ")
                self.site.requests.append(Request(verb.upper(), argument, {}))
                if verb.upper() == "QUIT":
                    return self.reply("221 bye")
                known = verb.upper() not in self.site.unknown
                getattr(self, f"on_{verb.lower()}" if known else "", self.on_unknown)(argument)

    def reply(self, text: str):
        self.wfile.write(f"{text}\r\n".encode())

    def path(self, argument: str) -> str:
        return argument if argument.startswith("/") else f"{self.folder.rstrip('/')}/{argument}"

    def on_unknown(self, argument):
        self.reply("502 unknown")

    def on_user(self, argument):
        self.reply("331 password")

    def on_pass(self, argument):
        self.reply("230 in")

    def on_type(self, argument):
        self.reply("200 binary")

    def on_pasv(self, argument):
        port = self._listen()
        self.reply(f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})")

    def on_epsv(self, argument):
        self.reply(f"229 Entering Extended Passive Mode (|||{self._listen()}|)")

    def _listen(self) -> int:
        self.data = socket.create_server(("127.0.0.1", 0))
        return self.data.getsockname()[1]

    def on_cwd(self, argument):
        path = self.path(argument)
        if self.site.children(path) is None:
            return self.reply("550 no such folder")
        self.folder = path
        return self.reply("250 ok")

    def on_size(self, argument):
        found = self.site.files.get(self.path(argument))
        self.reply("550 no such file" if found is None else f"213 {len(found)}")

    def on_mdtm(self, argument):
        found = self.site.files.get(self.path(argument))
        seconds = int(hashlib.md5(found or b"").hexdigest()[:6], 16) % 60  # another file, another date
        self.reply("550 no such file" if found is None else f"213 202405011000{seconds:02d}")

    def on_rest(self, argument):
        self.rest = int(argument)
        self.reply("350 go on")

    def on_nlst(self, argument):
        self._send("\r\n".join(name.rstrip("/") for name in self.site.children(self.folder)).encode(), Act())

    on_list = on_nlst

    def on_retr(self, argument):
        path = self.path(argument)
        act = self.site.next_act(path)
        if act.code:
            return self.reply(act.code)
        if path not in self.site.files:
            return self.reply("550 no such file")
        time.sleep(act.stall)
        data, self.rest = self.site.files[path][self.rest :], 0
        return self._send(data, act)

    def _send(self, body: bytes, act: Act):
        self.reply("150 here it comes")
        connection, _ = self.data.accept()
        with connection, self.data:
            for piece in pieces(body, act):
                self.site.sent += len(piece)
                connection.sendall(piece)
        if act.reset:
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.reply("426 cut" if act.cut < len(body) else "226 done")


class _Quiet:
    """A client that goes away, or is killed, is no news."""

    def handle_error(self, request, client_address):
        pass


class _HttpServer(_Quiet, ThreadingHTTPServer):
    pass


class _FtpServer(_Quiet, socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@contextlib.contextmanager
def http_site(site: Site, context=None):
    """A web server; yields its base URL. With an SSL context it speaks HTTPS."""
    server = _HttpServer(("127.0.0.1", 0), type("Handler", (_Http,), {"site": site}))
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with _serving(server):
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"


@contextlib.contextmanager
def ftp_site(site: Site):
    """An FTP server; yields its base URL."""
    server = _FtpServer(("127.0.0.1", 0), type("Handler", (_Ftp,), {"site": site}))
    with _serving(server):
        yield f"ftp://127.0.0.1:{server.server_address[1]}"


@contextlib.contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def fasta(bases: int = 3000, name: str = "chr1", seed: int = 1) -> bytes:
    letters = np.frombuffer(b"ACGTacgt", dtype=np.uint8)[np.random.default_rng(seed).integers(0, 8, bases)].tobytes()
    return b">%s\n" % name.encode() + b"\n".join(letters[i : i + 60] for i in range(0, bases, 60)) + b"\n"


GFF3 = b"##gff-version 3\nchr1\tx\tgene\t1\t90\t.\t+\t.\tID=g1\nchr1\tx\tCDS\t1\t90\t.\t+\t0\tID=c1;Parent=g1\n"
GTF = b'chr1\tncbiRefSeq\tCDS\t1\t90\t.\t+\t0\tgene_id "g1"; transcript_id "t1";\n'
REPORT = (
    b"# Assembly name:  ASM584v2\r\n# Organism name:  Escherichia coli\r\n# Sequence-Name\tSequence-Role"
    b"\tAssigned-Molecule\tAssigned-Molecule-Location/Type\tGenBank-Accn\tRelationship\tRefSeq-Accn\tAssembly-Unit\tSequence-Length"
    b"\tUCSC-style-name\r\nANONYMOUS\tassembled-molecule\tna\tChromosome\tU00096.3\t=\tchr1\tPrimary Assembly"
    b"\t3000\tna\r\n"
)


def genbank(accession: str = "NC_000913.3", bases: int = 120) -> bytes:
    rows = "".join(f"{i + 1:>9} {' '.join(['acgtacgtac'] * (min(60, bases - i) // 10))}\n" for i in range(0, bases, 60))
    name = accession.partition(".")[0]
    return (
        f"LOCUS       {name:<16} {bases} bp    DNA     circular BCT 09-MAR-2022\nDEFINITION  Made for a test.\n"
        f"ACCESSION   {name}\nVERSION     {accession}\nFEATURES             Location/Qualifiers\n"
        f'     source          1..{bases}\n                     /organism="Made"\nORIGIN\n{rows}//\n'
    ).encode()


def packed(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def bsd_sum(data: bytes) -> str:
    """By the program of coreutils itself."""
    return " ".join(
        subprocess.run(["sum", "-r"], input=data, capture_output=True, check=True).stdout.decode().split()[:2]
    )


def add_ncbi(
    site: Site, accession="GCF_000005845.2", assembly="ASM584v2", root="/genomes/all", seed=1, gff=True
) -> dict:
    """An assembly as in https://ftp.ncbi.nlm.nih.gov/genomes/all, with the file of checksums."""
    stem, d = f"{accession}_{assembly}", accession[4:13]
    place = f"{root}/{accession[:3]}/{d[:3]}/{d[3:6]}/{d[6:]}/{stem}"
    files = {
        f"{stem}_genomic.fna.gz": packed(fasta(seed=seed)), f"{stem}_genomic.gbff.gz": packed(genbank()),
        f"{stem}_assembly_report.txt": REPORT, f"{stem}_cds_from_genomic.fna.gz": packed(b">cds\nATG\n"),
        f"{stem}_rna_from_genomic.fna.gz": packed(b">rna\nACG\n"), f"{stem}_assembly_stats.txt": b"# stats\n",
    }  # fmt: skip
    if gff:
        files[f"{stem}_genomic.gff.gz"] = packed(GFF3)
    files["md5checksums.txt"] = "".join(f"{md5(data)}  ./{name}\n" for name, data in files.items()).encode()
    for name, data in files.items():
        site.add(f"{place}/{name}", data)
    return {"place": place, "stem": stem, "files": files}


def datasets_zip(accession="GCF_000005845.2", assembly="ASM584v2", damage=False, gff=True) -> bytes:
    """A package of the Datasets service."""
    members = {
        "README.md": b"# NCBI Datasets\n", "ncbi_dataset/data/assembly_data_report.jsonl": b"{}\n",
        f"ncbi_dataset/data/{accession}/{accession}_{assembly}_genomic.fna": fasta(),
        "ncbi_dataset/data/dataset_catalog.json": b"{}",
    }  # fmt: skip
    if gff:
        members[f"ncbi_dataset/data/{accession}/genomic.gff"] = GFF3
    lines = [f"{md5(b'other' if damage and name.endswith('.fna') else data)}  {name}" for name, data in members.items()]
    members["md5sum.txt"] = ("\n".join(lines) + "\n").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def add_ensembl(site: Site, root="/pub/release-113", species="saccharomyces_cerevisiae", assembly="R64-1-1",
                release=113, inner=None, primary=False) -> dict:  # fmt: skip
    """A species as on ftp.ensembl.org, CHECKSUMS by ``sum`` included."""
    inner, stem = inner or species, f"{species.capitalize()}.{assembly}"
    dna = {f"{stem}.{kind}.toplevel.fa.gz": packed(fasta(seed=n)) for n, kind in enumerate(("dna", "dna_rm", "dna_sm"))}
    dna[f"{stem}.dna_sm.chromosome.I.fa.gz"] = packed(fasta(600))
    if primary:
        dna[f"{stem}.dna_sm.primary_assembly.fa.gz"] = packed(fasta(seed=9))
    gff = {f"{stem}.{release}.gff3.gz": packed(GFF3), f"{stem}.{release}.chr.gff3.gz": packed(GFF3 + b"#chr\n")}
    gff |= {f"{stem}.{release}.chromosome.I.gff3.gz": packed(GFF3), f"{stem}.{release}.abinitio.gff3.gz": packed(GFF3)}
    for folder, files in ((f"{root}/fasta/{inner}/dna", dna), (f"{root}/gff3/{inner}", gff)):
        site.add(f"{folder}/CHECKSUMS", "".join(f"{bsd_sum(d)} {n}\n" for n, d in files.items()).encode())
        site.add(f"{folder}/README", b"README\n")
        for name, data in files.items():
            site.add(f"{folder}/{name}", data)
    return {"dna": dna, "gff": gff, "stem": stem, "folder": f"{root}/fasta/{inner}/dna"}


def add_ucsc(site: Site, name="sacCer3", root="/goldenPath", tracks=("ensGene", "ncbiRefSeq"), fa=True) -> dict:
    """An assembly as on hgdownload.soe.ucsc.edu."""
    place = f"{root}/{name}/bigZips"
    files = {f"{name}.2bit": b"\x43\x27\x41\x1a" + bytes(60), f"{name}.chromFa.tar.gz": packed(b"tar")}
    if fa:
        files[f"{name}.fa.gz"] = packed(fasta())
    site.add(f"{place}/md5sum.txt", "".join(f"{md5(data)}  {n}\n" for n, data in files.items()).encode())
    for track in tracks:
        files[f"genes/{name}.{track}.gtf.gz"] = packed(GTF + f"# {track}\n".encode())
    for inner, data in files.items():
        site.add(f"{place}/{inner}", data)
    return {"place": place, "files": files}
