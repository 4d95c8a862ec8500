"""How far a download is, as log lines."""

import logging
import time


class Progress:
    """Logs share, speed and time left at most every ``every`` seconds.

    Parameters
    ----------
    name : str
        The file.
    total : int or None
        Its bytes, if known.
    done : int
        Bytes that were here already.
    """

    def __init__(self, name: str, total: int | None, done: int, log: logging.Logger, every: float = 10.0):
        self.name, self.total, self.first, self.log, self.every = name, total, done, log, every
        self.start = self.last = time.monotonic()

    def update(self, done: int) -> None:
        """Say where we are, if it is time to."""
        now = time.monotonic()
        if now - self.last < self.every:
            return
        self.last = now
        rate = (done - self.first) / max(now - self.start, 1e-9)
        if self.total:
            left = (self.total - done) / max(rate, 1.0)
            share = 100 * done / self.total
            self.log.info(
                "%s: %.0f %% of %s, %s/s, %s left", self.name, share, size(self.total), size(rate), clock(left)
            )
        else:
            self.log.info("%s: %s, %s/s", self.name, size(done), size(rate))


def size(number: float) -> str:
    """Bytes in words: 1234567 is 1.2 MB."""
    for scale, letter in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= scale:
            return f"{number / scale:.1f} {letter}"
    return f"{number:.0f} bytes"


def clock(seconds: float) -> str:
    """Seconds as ``1 h 02 min``, ``3 min 05 s`` or ``7 s``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
