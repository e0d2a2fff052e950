"""How figures are written: numbers for people, with their range. Pure."""

from chitty.lab.bench.results import Figure

_KILO = 1000


def number(value: float) -> str:
    """Return a number with three digits that count, and thousands set apart."""
    if value == 0:
        return "0"
    size = abs(value)
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if size >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.3g}" if size >= 1e-3 else f"{value:.1e}"  # noqa: PLR2004 - below it digits are noise


def rough(value: float) -> str:
    """Return a large number with three digits that count: 1,234,567 is 1,230,000."""
    return number(float(f"{value:.3g}")) if abs(value) >= _KILO else number(value)


def figure(found: Figure | None, unit: str = "", scale: float = 1.0, *, ranged: bool = True) -> str:
    """Return a median, and in brackets the smallest and the largest of the runs."""
    if found is None:
        return ""
    median, low, high = (rough(value * scale) for value in (found.median, found.low, found.high))
    return f"{median}{unit} ({low} to {high})" if ranged and low != high else f"{median}{unit}"


def short(value: float) -> str:
    """Return a number for an axis: 20 k, 1 M."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
