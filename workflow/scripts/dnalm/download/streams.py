"""One open download, whatever the protocol."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Stream:
    """Bytes of a file from ``start`` on.

    Parameters
    ----------
    read : callable
        ``read(n)`` gives at most n bytes, as soon as some are there, and b"" at the end.
    close : callable
        Ends the transfer.
    start : int
        Position of the first byte; 0 where the server sends the file from its beginning.
    total : int or None
        Length of the whole file, where the server says it.
    etag, modified : str or None
        What tells one version of the file from another.
    ends : bool
        Whether the end of the bytes tells that they are whole: by a length, the last chunk, or FTP's word.
    url : str
        Where the bytes come from in the end, after redirects.
    """

    read: Callable[[int], bytes]
    close: Callable[[], None]
    start: int
    total: int | None
    etag: str | None
    modified: str | None
    url: str
    ends: bool = True
