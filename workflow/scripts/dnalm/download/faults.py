"""What can go wrong with a download, and whether another try, or another place, may help."""

from dnalm.errors import InputError


class Fault(Exception):
    """One try has failed.

    Parameters
    ----------
    kind : str
        ``unreachable`` (no connection, a broken one, a server in trouble), ``missing`` (no such file), ``refused`` (the
        server will not), ``damaged`` (the bytes are not those promised), ``changed`` (the file is another one than the
        part that is here), ``local`` (this machine: no space, no permission).
    retry : bool
        Whether the same request may succeed later.
    wait : float or None
        Seconds that the server asks to wait.
    hopeless : bool
        Whether there is no network to speak of: few tries are enough.
    """

    def __init__(self, kind: str, text: str, retry: bool = False, wait: float | None = None, hopeless: bool = False):
        self.kind, self.text, self.retry, self.wait, self.hopeless = kind, text, retry, wait, hopeless
        super().__init__(text)


class DownloadError(InputError):
    """A file could not be had, after all tries; ``kind`` as in `Fault`."""

    def __init__(self, kind: str, what: str, where: str = "", next_step: str = ""):
        self.kind = kind
        super().__init__(what, where, next_step)
