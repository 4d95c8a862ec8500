"""Progress of long work as log lines: share done, speed, time left."""

import logging
import time


def clock(seconds: float) -> str:
    """Seconds as ``1 h 02 min``, ``3 min 05 s`` or ``7 s``."""
    seconds = round(seconds)
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"


class Progress:
    """Logs at most every ``every`` seconds.

    Parameters
    ----------
    total : float
        Amount of work, in ``unit``.
    done : float
        Amount that was there already, e.g. before a resume; it does not count for the speed.
    """

    def __init__(self, total: float, unit: str, log: logging.Logger, every: float = 10.0, done: float = 0.0):
        self.total, self.unit, self.log, self.every = total, unit, log, every
        self.done, self.first = done, done
        self.start = self.last = time.monotonic()

    def update(self, amount: float, **metrics: float) -> None:
        """Count ``amount`` more as done; ``metrics`` are shown with three decimals."""
        self.done += amount
        now = time.monotonic()
        if now - self.last >= self.every or self.done >= self.total:
            self.last = now
            rate = (self.done - self.first) / max(now - self.start, 1e-9)
            shown = "".join(f", {name.replace('_', ' ')} {value:.3f}" for name, value in metrics.items())
            left = clock(max(self.total - self.done, 0) / max(rate, 1e-9))
            self.log.info(
                "%3.0f %% of %s %s%s, %s/s, %s left",
                100 * self.done / max(self.total, 1e-9), short(self.total), self.unit, shown, short(rate), left,
            )  # fmt: skip


def short(number: float) -> str:
    """A number with k, M or G: 1234567 is 1.2 M."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return f"{number:.0f}"
