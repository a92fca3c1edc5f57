"""Charts as inline SVG, drawn by matplotlib's object interface.

Names are not passed to matplotlib: the page writes the legends in HTML, where they wrap and are
escaped. Colours are placeholders that become CSS variables of the page, so that one drawing works
in light and dark mode; fonts are those of the page. The same record always gives the same text.
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.phases import phase
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_COLOURS = 8
DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (2, 2.5), (8, 3, 2, 3))
WIDTH, HEIGHT = 440, 310
RIGHT, BOTTOM, TOP = 20, 40, 8
"""The margins around the axes, in pixels; the left one depends on the labels of its ticks."""
MUTED, LINE = "#020202", "#030303"
_VARIABLES = {MUTED: "var(--muted)", LINE: "var(--line)"}
_VARIABLES |= {f"#0400{i:02x}": f"var(--series-{i})" for i in range(N_COLOURS)}
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "frozen-features",
    "text.parse_math": False,
    "lines.scale_dashes": False,
    "font.size": 12,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.pad": 6,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
}


@dataclass(frozen=True)
class LegendEntry:
    """One line of a legend: its colour is `--series-COLOUR`, its dashes `DASHES[dash]`."""

    label: str
    value: str
    colour: int
    dash: int

    @property
    def dasharray(self) -> str:
        """The dashes as an SVG attribute."""
        return " ".join(map(str, DASHES[self.dash]))


@dataclass(frozen=True)
class Chart:
    """An `<svg>` element, the caption above it and the legend below it."""

    caption: str
    svg: str
    legend: list[LegendEntry]


def style(index: int) -> tuple[int, int]:
    """Return colour and dash of the series `index`; the pairs repeat after 32 series."""
    return index % N_COLOURS, (index + index // N_COLOURS) % len(DASHES)


@contextmanager
def report_style() -> Iterator[None]:
    """Draw with the settings of the report, whatever the user's matplotlib settings are."""
    with phase("importing matplotlib"):
        import matplotlib as mpl
        import matplotlib.figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def new_figure(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """Return an empty figure and its axes."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
    axes = canvas.add_subplot()
    axes.set_xlabel(printable(xlabel))
    axes.set_ylabel(printable(ylabel))
    return canvas, axes


def series_colour(index: int) -> str:
    """Return the placeholder of the page's colour `--series-INDEX`."""
    return f"#0400{index:02x}"


def plot(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    colour: int,
    dash: int,
    *,
    marker: bool = False,
    faint: bool = False,
) -> None:
    """Draw a line in the page's colour `colour`, with the dashes `DASHES[dash]`."""
    (line,) = axes.plot(
        xs,
        ys,
        color=series_colour(colour),
        linewidth=1 if faint else 2,
        alpha=0.4 if faint else 1,
        marker="o" if marker else None,
        markersize=4,
        solid_capstyle="round",
        solid_joinstyle="round",
    )
    if DASHES[dash]:
        line.set_dashes(DASHES[dash])


def _place(axes: Axes) -> None:
    """Leave room for the labels of the ticks; a layout engine takes as long as the drawing."""
    labels = axes.yaxis.get_major_formatter().format_ticks(list(axes.get_yticks()))
    left = 24 + 8 * max(map(len, labels), default=0)
    width, height = WIDTH - left - RIGHT, HEIGHT - TOP - BOTTOM
    axes.set_position((left / WIDTH, BOTTOM / HEIGHT, width / WIDTH, height / HEIGHT))


def svg(canvas: Figure, name: str, title: str, description: str) -> str:
    """Return the drawing as an `<svg>` element for a page, where `name` must be unique."""
    import xml.etree.ElementTree as ET

    from matplotlib.backends.backend_svg import FigureCanvasSVG

    _place(canvas.axes[0])
    buffer = io.StringIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    # `Figure.savefig` would draw twice: once for the size of the labels, and once more.
    FigureCanvasSVG(canvas).print_svg(buffer, metadata=metadata)  # type: ignore[no-untyped-call]
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - written by matplotlib just now
    for element in root.iter():
        _adapt(element, f"{name}-")
    for child in root.findall("metadata"):
        root.remove(child)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
    }
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(tag, {"id": f"{name}-{tag}"})
        element.text = printable(text)
        root.insert(position, element)
    return ET.tostring(root, encoding="unicode")


def _adapt(element: Element, prefix: str) -> None:
    """Remove namespaces, prefix ids, and replace colours and fonts by those of the page."""
    element.tag = _local(element.tag)
    attributes = list(element.attrib.items())
    element.attrib.clear()
    for name, value in attributes:
        if name == "id":
            value = prefix + value
        elif _local(name) == "href":
            value = value.replace("#", f"#{prefix}", 1)
        else:
            value = value.replace("url(#", f"url(#{prefix}")
            # Depending on its version, matplotlib writes the shorthand or the single properties.
            value = re.sub(r"font: ([\d.]+px) [^;]*", r"font-size: \1", value)
            value = re.sub(r"font-family: [^;]*(; |$)", "", value)
            for placeholder, variable in _VARIABLES.items():
                value = value.replace(placeholder, variable)
        element.set(_local(name), value)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
