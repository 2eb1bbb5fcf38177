"""Geometry of plots: numbers to places in an SVG picture, which the template draws."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubefit_trainer.evaluation.findings import Calibration

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
"""Margins, for the numbers at the axes."""
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Tick:
    """A number at an axis."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a plot, broken where there is no finite number."""

    name: str
    pieces: list[str]
    """Points of each piece, as SVG has them."""
    dots: list[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Lines over one pair of axes."""

    title: str
    described: str
    """What it shows, in words."""
    across: str
    """Name of the horizontal axis."""
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Numbers from `low` to `high` between two places."""

    low: float
    high: float
    begin: float
    end: float

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self, *, whole: bool = False) -> list[Tick]:
        step = _step(self.high - self.low, whole=whole)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [Tick(self.place(i * step), f"{i * step:.4g}") for i in range(first, last + 1)]


def curves(logs: Mapping[str, Sequence[float]]) -> list[Plot]:
    """One plot for each metric of training, with that of validation; the loss first."""
    names = [name for name, values in logs.items() if values and not name.startswith("val_")]
    names.sort(key=lambda name: (name != "loss", name))
    return [_curve(name, logs) for name in names]


def _curve(name: str, logs: Mapping[str, Sequence[float]]) -> Plot:
    both = {"training": list(logs[name]), "validation": list(logs.get(f"val_{name}", []))}
    values = [value for series in both.values() for value in series if math.isfinite(value)]
    epochs = max(len(series) for series in both.values())
    x, y = _across(1, max(2, epochs)), _up(min(values, default=0.0), max(values, default=1.0))
    said = [
        f"{of} from {series[0]:.4g} to {series[-1]:.4g}" for of, series in both.items() if series
    ]
    return Plot(
        title=name.replace("_", " "),
        described=f"{name} over {epochs} epochs: {', '.join(said)}",
        across="epoch",
        lines=[_line(of, list(enumerate(s, 1)), x, y) for of, s in both.items() if s],
        x_ticks=x.ticks(whole=True),
        y_ticks=y.ticks(),
    )


def reliability(found: Calibration) -> Plot:
    """Share that is right over the probability given, and the diagonal where both are equal."""
    x, y = _across(0.0, 1.0), _up(0.0, 1.0)
    points = [(one.confidence, one.share) for one in found.bins]
    return Plot(
        title="calibration",
        described=f"expected calibration error {found.expected_error:.3f}",
        across="probability that the model gives",
        lines=[
            _line("share that is right", points, x, y),
            _line("ideal", [(0.0, 0.0), (1.0, 1.0)], x, y),
        ],
        x_ticks=x.ticks(),
        y_ticks=y.ticks(),
    )


def _across(low: float, high: float) -> _Axis:
    return _Axis(low, high, LEFT, WIDTH - RIGHT)


def _up(low: float, high: float) -> _Axis:
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    return _Axis(low, high, HEIGHT - BOTTOM, TOP)


def _line(name: str, points: Sequence[tuple[float, float]], x: _Axis, y: _Axis) -> Line:
    pieces: list[list[tuple[float, float]]] = [[]]
    for across, value in points:
        if math.isfinite(value):
            pieces[-1].append((x.place(across), y.place(value)))
        elif pieces[-1]:
            pieces.append([])
    found = [piece for piece in pieces if piece]
    dots = [point for piece in found for point in piece]
    return Line(name, [" ".join(f"{a},{b}" for a, b in piece) for piece in found], dots)


def _step(span: float, *, whole: bool) -> float:
    """1, 2 or 5 times a power of ten, so that there are about `_TICKS` steps."""
    rough = span / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return max(1.0, step) if whole else step
