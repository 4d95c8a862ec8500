"""Downloads over FTP."""

import contextlib
import ftplib
import socket
from urllib.parse import unquote, urlsplit

from dnalm.download.faults import Fault
from dnalm.download.settings import Settings
from dnalm.download.streams import Stream
from dnalm.io.remote import without_secrets


@contextlib.contextmanager
def faults_of_ftp():
    """Errors of FTP as `Fault`."""
    try:
        yield
    except ftplib.error_perm as error:
        code = str(error)[:3]
        kind = "missing" if code == "550" else "refused"
        told = "no such file" if kind == "missing" else "the server refuses"
        raise Fault(kind, f"{told} ({error})") from error
    except (ftplib.error_temp, ftplib.error_reply, ftplib.error_proto) as error:
        raise Fault("unreachable", f"the server is in trouble or busy ({error})", True) from error
    except ValueError as error:  # a port that is no number, a line end in a name
        raise Fault("refused", f"this is no URL to download from: {error}") from error
    except TimeoutError as error:
        raise Fault("unreachable", "the server does not answer in time", True) from error
    except socket.gaierror as error:
        raise Fault("unreachable", f"no connection ({error.strerror})", True, hopeless=True) from error
    except (OSError, EOFError) as error:
        hopeless = getattr(error, "errno", None) in (101, 113)
        told = getattr(error, "strerror", None) or "it was cut"
        raise Fault("unreachable", f"no connection ({told})", True, hopeless=hopeless) from error


def _connect(url: str, settings: Settings) -> tuple[ftplib.FTP, str]:
    """A session in binary mode, and the path of a file or folder."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("it names no server")
    ftp = ftplib.FTP(timeout=settings.connect_timeout)
    ftp.connect(parts.hostname, parts.port or 21)
    ftp.sock.settimeout(settings.read_timeout)
    ftp.login(unquote(parts.username or "anonymous"), unquote(parts.password or "dnalm@"))
    ftp.voidcmd("TYPE I")
    return ftp, unquote(parts.path)


def open_ftp(url: str, have: int, settings: Settings) -> Stream:
    """Ask for a file from byte ``have`` on; its date (MDTM) tells versions apart.

    Raises
    ------
    Fault
        If there is no answer, or not the file.
    """
    with faults_of_ftp():
        ftp, path = _connect(url, settings)
    try:
        with faults_of_ftp():
            total = _told(lambda: ftp.size(path))
            modified = _told(lambda: ftp.sendcmd(f"MDTM {path}").removeprefix("213 ").strip())
            if total is not None and have > total:
                raise Fault("changed", "the server has less than the part that is here", retry=True)
            connection, have = _transfer(ftp, path, have)
            connection.settimeout(settings.read_timeout)
    except Fault:
        ftp.close()
        raise
    return Stream(
        lambda n: _read(ftp, connection, n), lambda: (connection.close(), ftp.close()), have, total, None, modified,
        without_secrets(url),
    )  # fmt: skip


def _told(ask):
    """What a server answers; None if it will not (without MDTM a part is not continued by another process)."""
    try:
        return ask()
    except ftplib.error_perm:
        return None


def _transfer(ftp: ftplib.FTP, path: str, have: int) -> tuple[socket.socket, int]:
    """The connection for a file's bytes, and the position of the first of them: 0 where a server cannot begin later."""
    try:
        return ftp.transfercmd(f"RETR {path}", have or None), have
    except ftplib.error_perm as error:
        if not have or str(error).startswith("550"):
            raise
        return ftp.transfercmd(f"RETR {path}"), 0


def _read(ftp: ftplib.FTP, connection: socket.socket, n: int) -> bytes:
    with faults_of_ftp():
        block = connection.recv(n)
        if not block:
            connection.close()
            ftp.voidresp()
            with contextlib.suppress(*ftplib.all_errors):
                ftp.quit()
        return block


def list_ftp(url: str, settings: Settings) -> list[str]:
    """Names in a folder.

    Raises
    ------
    Fault
        If there is no answer, or no such folder.
    """
    with faults_of_ftp():
        ftp, path = _connect(url, settings)
        try:
            ftp.cwd(path)
            return [name.rstrip("/").rpartition("/")[2] for name in ftp.nlst()]
        finally:
            ftp.close()
