"""Small pictures of figures, as SVG text: bars a day, a line for one instance, a strip of successes.

Pure, and without words but those given, which are escaped. Colours come from the style sheet by class; each picture has a
name, and stands beside a table of the same figures. It stretches to the width it is given: the words around it do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

HEIGHT = 96  # of bars, in the picture's own units; so wide as there are days
GAP = 0.2  # of a bar's place
MARK = 24  # pixels of a mark of a strip, at most


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of figures: its name for people and a number for each day."""

    name: str
    values: tuple[int, ...]

    @property
    def total(self) -> int:
        """The sum over all days."""
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class Chart:
    """Figures by day: the days' names and the series that are stacked. Every series has a number for each day."""

    name: str
    days: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def sums(self) -> tuple[int, ...]:
        """The sum over all series, by day."""
        return tuple(map(sum, zip(*(series.values for series in self.series), strict=True)))

    @property
    def highest(self) -> int:
        """The largest sum of a day; 0 when there is nothing."""
        return max(self.sums, default=0)

    @property
    def total(self) -> int:
        """The sum of all."""
        return sum(self.sums)


def bars(chart: Chart, shown: Callable[[int], str] = "{:,}".format) -> str:
    """Return a stacked bar a day; a day tells its figures, as `shown` writes numbers, when it is pointed at."""
    parts = []
    for index, day in enumerate(chart.days):
        figures = [(series.name, series.values[index]) for series in chart.series]
        said = "; ".join(f"{name} {shown(value)}" for name, value in figures if value)
        stack = _stack([value for _, value in figures], chart.highest, index)
        parts.append(f"<g><title>{escape(day)}: {escape(said or '0')}</title>{stack}</g>")
    return _svg("ps-bars", chart.name, max(1, len(chart.days)), HEIGHT, parts)


def _stack(values: Iterable[int], highest: int, place: int) -> str:
    """One day's rectangles, the first series at the bottom; whatever is above zero can be seen."""
    base, found = float(HEIGHT), []
    for number, value in enumerate(values):
        if value:
            size = max(2.0, value * (HEIGHT - 4) / highest)
            base -= size
            found.append(_rect(place + GAP / 2, base, 1 - GAP, size, f"ps-c{number}"))
    return "".join(found)


def sparkline(name: str, values: Sequence[int]) -> str:
    """Return a line over the days."""
    highest, step = max([*values, 1]), 100 / max(1, len(values) - 1)
    points = " ".join(f"{index * step:.4g},{22 - 20 * value / highest:.4g}" for index, value in enumerate(values))
    return _svg("ps-spark", name, 100, 24, [f'<polyline points="{points}" vector-effect="non-scaling-stroke"/>'])


def strip(name: str, outcomes: Sequence[tuple[str, bool]]) -> str:
    """Return a mark for each (what it tells when pointed at, whether it succeeded): a tall one for success, else a low one."""
    marks = []
    for index, (said, good) in enumerate(outcomes):
        top, kind = (0, "ps-c0") if good else (14, "ps-c2")
        mark = _rect(index + GAP / 2, top, 1 - GAP, 24 - top, kind)
        marks.append(f"<g><title>{escape(said)}</title>{mark}</g>" if said else mark)
    return _svg("ps-strip", name, max(1, len(outcomes)), 24, marks, f' width="{MARK * max(1, len(outcomes))}"')


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}" class="{kind}"/>'


def _svg(kind: str, name: str, width: int, height: int, parts: Iterable[str], more: str = "") -> str:
    label = escape(name, quote=True)
    head = f'<svg class="{kind}" role="img" aria-label="{label}" viewBox="0 0 {width} {height}" preserveAspectRatio="none"{more}>'
    return f"{head}{''.join(parts)}</svg>"
