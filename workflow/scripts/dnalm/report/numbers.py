"""Numbers as text: a fixed number of digits for each metric, real minus signs, units that people read."""

from math import isfinite, isnan

from dnalm.report.results import Estimate

DIGITS = {"bits_per_base": 3, "bits_per_base_two_sided": 3, "brier": 4, "ece": 4}
MISSING = "–"  # noqa: RUF001 - an en dash, as tables of the field have it
MOST_DIGITS = 7


def number(value: float, digits: int, sign: bool = False) -> str:
    """A number with a real minus sign; a dash where it is not defined."""
    if value is None or not isfinite(value):
        return MISSING
    text = f"{abs(value):.{digits}f}"
    return ("\N{MINUS SIGN}" if value < 0 else "+" if sign and value > 0 else "") + text


def metric_value(metric: str, estimate: Estimate | None) -> str:
    """A metric's value with the digits of that metric."""
    return MISSING if estimate is None else number(estimate.value, DIGITS.get(metric, 3))


def metric_interval(metric: str, estimate: Estimate | None) -> str:
    """A metric's interval, empty where there is none."""
    if estimate is None or not estimate.has_interval:
        return ""
    digits = DIGITS.get(metric, 3)
    return f"{number(estimate.low, digits)} to {number(estimate.high, digits)}"


def difference_digits(estimate: Estimate, least: int) -> int:
    """Digits at which neither the difference nor an end of its interval that is not zero looks like zero."""
    shown = [abs(x) for x in (estimate.value, estimate.low, estimate.high) if x and isfinite(x)]
    digits = least
    while digits < MOST_DIGITS and any(round(x, digits) == 0 for x in shown):
        digits += 1
    return digits


def signed(estimate: Estimate) -> str:
    """A difference with its sign."""
    return number(estimate.value, difference_digits(estimate, 3), sign=True)


def signed_interval(estimate: Estimate) -> str:
    """The interval of a difference, empty where there is none."""
    if not estimate.has_interval:
        return ""
    digits = difference_digits(estimate, 3)
    return f"{number(estimate.low, digits, sign=True)} to {number(estimate.high, digits, sign=True)}"


def with_interval(difference: Estimate) -> str:
    """``difference -0.1, 95 % interval -0.2 to +0.1``."""
    interval = f"{percent(0.95)} interval {signed_interval(difference)}" if difference.has_interval else "no interval"
    return f"difference {signed(difference)}, {interval}"


def percent(share: float, digits: int = 0) -> str:
    """A share as per cent; never rounded to 0 % or 100 % when it is neither."""
    if not isfinite(share):
        return MISSING
    while digits < 3 and 0 < share < 1 and round(share * 100, digits) in (0, 100):
        digits += 1
    if 0 < share < 1 and round(share * 100, digits) in (0, 100):
        return f"{'under 0.001' if share < 0.5 else 'over 99.999'}\N{NO-BREAK SPACE}%"
    return f"{share * 100:.{digits}f}\N{NO-BREAK SPACE}%"


def count(value: int, noun: str) -> str:
    """``1 gene``, ``2 genes``, ``199,000 bases``."""
    return f"{value:,} {noun if value == 1 else noun + 's'}"


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if isnan(seconds):
        return MISSING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def megabytes(value: float) -> str:
    """MB without digits."""
    return MISSING if isnan(value) else f"{value:,.0f} MB"


def file_size(size: int) -> str:
    """Bytes as kB or MB of 1000 each."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:,.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"
