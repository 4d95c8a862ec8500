"""One way to ask for files, small texts and folders, over HTTP and FTP, with all the tries that they may take."""

import html
import logging
import random
import re
import time
from urllib.parse import unquote, urlsplit

from dnalm.download.faults import DownloadError, Fault
from dnalm.download.ftp import list_ftp, open_ftp
from dnalm.download.http import new_session, open_http
from dnalm.download.settings import Settings
from dnalm.download.streams import Stream
from dnalm.io.remote import without_secrets

log = logging.getLogger(__name__)
#: Lists of files and checksums are texts; nothing larger is one.
LARGEST_TEXT = 64 << 20
#: Tries in a row without anything new where there seems to be no network, and of bytes that are not those promised.
FEW = 2
#: Bytes that make a try a good one.
PROGRESS = 1 << 20


class Tries:
    """Counts failures, and says how long to pause before the next try, or that there is none.

    Parameters
    ----------
    what : str
        What is fetched, for messages.
    """

    def __init__(self, what: str, settings: Settings):
        self.what, self.settings = what, settings
        self.in_a_row = self.total = self.damaged = 0
        self.paused = 0.0

    def failed(self, fault: Fault, gained: int = 0) -> float:
        """Seconds to pause before the next try.

        Parameters
        ----------
        gained : int
            Bytes that the failed try has added.

        Raises
        ------
        DownloadError
            If another try makes no sense.
        """
        s = self.settings
        self.in_a_row = 1 if gained >= PROGRESS else self.in_a_row + 1
        self.total += 1
        self.damaged += fault.kind == "damaged"
        most = min(FEW, s.attempts) if fault.hopeless else s.attempts
        if not fault.retry or self.in_a_row >= most or self.total >= s.most_attempts or self.damaged >= FEW:
            tried = f" after {self.total} tries" if self.total > 1 else ""
            raise DownloadError(fault.kind, f"{fault.text}{tried}", self.what) from fault
        pause = self._pause(fault)
        log.warning("%s: %s; again in %.1f s (try %d)", self.what, fault.text, pause, self.total + 1)
        return pause

    def _pause(self, fault: Fault) -> float:
        s = self.settings
        pause = min(s.backoff * 2 ** (self.in_a_row - 1), s.longest_backoff) * random.uniform(0.5, 1.0)
        if fault.kind == "changed":
            pause = 0.0
        if fault.wait is not None:
            pause = max(fault.wait, pause)
        if pause > s.longest_wait or self.paused + pause > s.patience:
            raise DownloadError(
                fault.kind, f"{fault.text}, and asks to wait {pause:.0f} s", self.what, "Try again later"
            ) from fault
        self.paused += pause
        return pause


class Client:
    """Asks for files; one of it serves many.

    Parameters
    ----------
    settings : Settings
        Patience and places.
    """

    def __init__(self, settings: Settings):
        self.settings, self.session, self.log = settings, new_session(), log

    def open(self, url: str, have: int = 0, validator: str | None = None, headers: dict | None = None) -> Stream:
        """A file from byte ``have`` on, or from its beginning where that cannot be had.

        Raises
        ------
        Fault
            If there is no answer, or not the file.
        """
        try:
            scheme = urlsplit(url).scheme
        except ValueError as error:
            raise Fault("refused", f"this is no URL to download from: {error}") from error
        if scheme in ("http", "https"):
            return open_http(self.session, url, have, validator, self.settings, headers)
        if scheme == "ftp":
            return open_ftp(url, have, self.settings)
        raise Fault("refused", f"no downloads from {scheme or 'no scheme'}: give a URL with http, https, ftp or s3")

    def text(self, url: str) -> str:
        """A small text file.

        Raises
        ------
        DownloadError
            If it cannot be had.
        """
        return self._tried(url, self._text)

    def names(self, url: str) -> list[str]:
        """Names in a folder: of FTP, or of the page with links that web servers make of one; sorted.

        Raises
        ------
        DownloadError
            If it cannot be had.
        """
        folder = url.rstrip("/") + "/"
        if urlsplit(url).scheme == "ftp":
            return sorted(self._tried(folder, lambda place: list_ftp(place, self.settings)))
        return linked_names(self._tried(folder, self._text))

    def _text(self, url: str) -> str:
        stream = self.open(url)
        try:
            found = bytearray()
            while block := stream.read(1 << 16):
                found += block
                if len(found) > LARGEST_TEXT:
                    raise Fault("damaged", "this is no list of files or checksums: it is too long")
        finally:
            stream.close()
        if stream.total is not None and len(found) < stream.total:
            raise Fault("unreachable", f"the connection broke after {len(found):,} of {stream.total:,} bytes", True)
        if not stream.ends:
            log.warning("%s: the server does not say how long this is: whether it is whole is not known", stream.url)
        return found.decode("utf-8", "replace")

    def _tried(self, url: str, work):
        tries = Tries(without_secrets(url), self.settings)
        while True:
            try:
                return work(url)
            except Fault as fault:
                time.sleep(tries.failed(fault))


def linked_names(page: str) -> list[str]:
    """Names of files and folders that a listing in HTML links to, without those that lead up or sort the table."""
    links = [html.unescape(link) for link in re.findall(r"""href\s*=\s*["']([^"'#?]+)["']""", page, re.I)]
    names = {unquote(link.removeprefix("./").rstrip("/")) for link in links if not link.startswith(("/", ".."))}
    return sorted(name for name in names if name and "/" not in name and ":" not in name)
