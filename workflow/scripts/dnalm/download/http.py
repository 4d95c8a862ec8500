"""Downloads over HTTP and HTTPS, with proxies and certificates from the environment."""

import contextlib
import email.utils
import os
import re
import socket
import time

import requests
import urllib3

import dnalm
from dnalm.download.faults import Fault
from dnalm.download.settings import Settings
from dnalm.download.streams import Stream
from dnalm.io.remote import without_secrets

#: Answers that another try may better.
PASSING = {408, 425, 429, 500, 502, 503, 504}
MISSING = {404, 410}


def new_session() -> requests.Session:
    """A session that honours http_proxy, https_proxy, no_proxy, ~/.netrc, REQUESTS_CA_BUNDLE and SSL_CERT_FILE."""
    session = requests.Session()
    session.headers.update({"User-Agent": f"dnalm/{dnalm.__version__}", "Accept-Encoding": "identity"})
    if not (os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")):
        session.verify = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or True
    return session


def open_http(session, url: str, have: int, validator: str | None, settings: Settings, headers=None) -> Stream:
    """Ask for a file, from byte ``have`` on if it is still the version that ``validator`` names.

    Raises
    ------
    Fault
        If there is no answer, or not the file.
    """
    asked = dict(headers or {})
    if have:
        asked["Range"] = f"bytes={have}-"
        if validator:
            asked["If-Range"] = validator
    timeout = (settings.connect_timeout, settings.read_timeout)
    with faults_of(url):
        answer = session.get(url, headers=asked, stream=True, timeout=timeout)
    try:
        start = _start_of(answer, have)
        if have and start is None:
            raise Fault("changed", "the server has less than the part that is here", retry=True)
        _refuse(answer, url, have)
    except Fault:
        answer.close()
        raise
    total = _total(answer, start or 0)
    done = answer.status_code == 416  # its body is an error message, and the part is the whole
    return Stream(
        (lambda n: b"") if done else (lambda n: _read(answer, url, n)),
        answer.close,
        start or 0,
        total,
        answer.headers.get("ETag"),
        answer.headers.get("Last-Modified"),
        without_secrets(answer.url),
        total is not None or bool(answer.raw.chunked),
    )


def _read(answer, url: str, n: int) -> bytes:
    with faults_of(url):
        return answer.raw.read1(n, decode_content=False) or b""


def _start_of(answer, have: int) -> int | None:
    """The position of the first byte of the body; None where the server cannot go on at ``have``."""
    content_range = answer.headers.get("Content-Range", "")
    if answer.status_code == 416:
        whole = re.fullmatch(r"bytes \*/(\d+)", content_range)
        return have if whole and int(whole.group(1)) == have else None
    if answer.status_code != 206:
        return 0
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", content_range)
    if not found or int(found.group(1)) != have:
        raise Fault("changed", f"the server sent another part than it was asked for ({content_range!r})", retry=True)
    return have


def _total(answer, start: int) -> int | None:
    """Length of the whole file, as far as the headers say it."""
    if answer.status_code in (206, 416):
        told = answer.headers["Content-Range"].rpartition("/")[2]
        if told.isdigit():
            return int(told)
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() and "Transfer-Encoding" not in answer.headers else None


def _refuse(answer, url: str, have: int) -> None:
    """Raise a `Fault` for every answer that is not the file."""
    code = answer.status_code
    if code in (200, 206) or (code == 416 and have):
        encoding = answer.headers.get("Content-Encoding", "identity").lower()
        packed = encoding not in ("identity", "")
        if packed and not url.partition("?")[0].endswith((".gz", ".bgz")):
            raise Fault("refused", f"the server packs the file ({encoding}) though it was asked not to")
        return
    reason = f"{code} {answer.reason or ''}".strip()
    if code in MISSING:
        raise Fault("missing", f"no such file ({reason})")
    if code in PASSING:
        raise Fault("unreachable", f"the server is in trouble or busy ({reason})", True, _retry_after(answer))
    raise Fault("refused", f"the server refuses ({reason}){_words_of(answer)}")


def _words_of(answer) -> str:
    """What a server says about a refusal in plain text, for a person to read."""
    if "text/plain" not in answer.headers.get("Content-Type", "") and "json" not in answer.headers.get(
        "Content-Type", ""
    ):
        return ""
    with contextlib.suppress(OSError, urllib3.exceptions.HTTPError):
        text = answer.raw.read(300, decode_content=True).decode("utf-8", "replace")
        return f": {' '.join(text.split())[:150]}" if text.strip() else ""
    return ""


def _retry_after(answer) -> float | None:
    """Seconds that the server asks to wait: a number, or a date."""
    told = answer.headers.get("Retry-After", "").strip()
    if told.isdigit():
        return float(told)
    date = email.utils.parsedate_tz(told) if told else None
    return max(email.utils.mktime_tz(date) - time.time(), 0.0) if date else None


@contextlib.contextmanager
def faults_of(url: str):
    """Errors of the network as `Fault`."""
    try:
        yield
    except requests.TooManyRedirects as error:
        raise Fault("refused", "the server redirects in a circle") from error
    except requests.exceptions.SSLError as error:
        raise Fault("refused", _certificate(error)) from error
    except requests.exceptions.ProxyError as error:
        raise Fault("unreachable", f"the proxy does not let us through ({_inner(error)})", True) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise Fault("unreachable", "the server does not answer in time", True) from error
    except requests.exceptions.ConnectionError as error:
        raise Fault("unreachable", f"no connection ({_inner(error)})", True, hopeless=_no_network(error)) from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
        raise Fault("refused", f"this is no URL to download from: {error}") from error
    except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
        raise Fault("unreachable", f"the connection broke ({_inner(error)})", True) from error


def _certificate(error) -> str:
    return (
        f"the server's certificate is not trusted ({_inner(error)}). Behind a proxy that opens TLS, set SSL_CERT_FILE "
        "or REQUESTS_CA_BUNDLE to its certificate"
    )


def _inner(error: BaseException) -> str:
    """The last cause of an error, in few words."""
    causes, here = [error], error
    while (here := here.__cause__ or here.__context__) and here not in causes:
        causes.append(here)
    known = [
        c for c in causes if isinstance(c, OSError) and c.strerror and not isinstance(c, requests.RequestException)
    ]
    last = known[-1].strerror if known else str(causes[-1])
    return " ".join(str(last).split())[:120]


def _no_network(error: BaseException) -> bool:
    """Whether there is no network at all: names are not known, or no route leads out."""
    here = error
    while here:
        if isinstance(here, (socket.gaierror, urllib3.exceptions.NameResolutionError)):
            return True
        if isinstance(here, OSError) and here.errno in (101, 113):  # no route to network, to host
            return True
        here = here.__cause__ or here.__context__
    return False
