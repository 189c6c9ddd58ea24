"""SVG: Matplotlib figures as inline SVG elements of a page.

A drawing is made for a page and for a phone, and CSS shows the one that fits. Text stays text;
colours become the page's CSS variables, so one picture serves light, dark and
print; marks with a tooltip carry a ``<title>``. The same drawing gives the same bytes.
"""

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH_IN = 7.4
NARROW_IN = 3.7  # on a phone
LEGEND_HANDLE_IN = 0.55  # of an entry, beside its text
LEGEND_CHARACTER_IN = 0.075
LEGEND_COLUMNS_MAX = 4
TICK_CHARACTERS_MAX = {False: 28, True: 16}  # of a line of a label at the left; on a phone
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
TOOLTIPS_MAX = 2_000  # marks with a title in one picture

# Placeholder colours for Matplotlib, one per CSS variable; page.css defines the light and the dark
# colours.
_VARIABLES = (
    "ink", "faint", "line", "paper", "good", "bad",
    "c0", "c1", "c2", "c3", "c4", "c5", "c6",
    "h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7",
)  # fmt: skip
_MARK_COLOURS = {name: f"#fe{number:02x}dc" for number, name in enumerate(_VARIABLES)}
_MARK_PATTERN = re.compile(r"#fe([0-9a-f]{2})dc")

SERIES_COLOURS = 6  # distinct series colours; ``c6`` is for all other series
HEAT_STEPS = 8  # of a heat map
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)),
                           (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)))  # fmt: skip
POINTS = "osD^vP"

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],  # shipped with Matplotlib: the same widths everywhere
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "axes.edgecolor": _MARK_COLOURS["line"],
    "axes.labelcolor": _MARK_COLOURS["ink"],
    "axes.titlecolor": _MARK_COLOURS["ink"],
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "text.color": _MARK_COLOURS["ink"],
    "text.parse_math": False,  # a dollar sign is not a formula
    "xtick.color": _MARK_COLOURS["line"],
    "ytick.color": _MARK_COLOURS["line"],
    "xtick.labelcolor": _MARK_COLOURS["ink"],
    "ytick.labelcolor": _MARK_COLOURS["ink"],
    "grid.color": _MARK_COLOURS["faint"],
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "axes.unicode_minus": True,
}


def mark_colour(name: str) -> str:
    """Returns the placeholder for one of the page's colours.

    Args:
        name: ``ink``, ``faint``, ``line``, ``paper``, ``good``, ``bad``, ``c0`` to ``c6`` for
            series, ``h0`` to ``h7`` for the steps of a heat map.
    """
    return _MARK_COLOURS[name]


class Tooltips:
    """Tooltips of marks.

    Set a mark's ``gid`` to the value of ``add`` returns.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def add(self, words: str, *, band: bool = False) -> str:
        """Returns the name of a mark with a tooltip; a ``band`` is invisible until hovered."""
        if len(self.texts) >= TOOLTIPS_MAX:
            return ""
        name = f"{'band' if band else 'tip'}-{len(self.texts)}"
        self.texts[name] = words
        return name


DrawFunction = Callable[[Figure, Tooltips], None]


def render_svg(
    draw: DrawFunction, *, name: str, label: str, height_in: float, narrow_height_in: float
) -> str:
    """Returns a drawing as two ``svg`` elements, for a page and for a phone.

    Args:
        draw: draws on an empty figure, of either width (``is_narrow``).
        name: identifier, unique in the page.
        label: text for screen readers.
        height_in: height in inches, at the width of a page.
        narrow_height_in: the same at the width of a phone.
    """
    return _render(draw, name, label, (WIDTH_IN, height_in), "broad") + _render(
        draw, f"{name}-narrow", label, (NARROW_IN, narrow_height_in), "narrow"
    )


def _render(
    draw: DrawFunction, name: str, label: str, size_in: tuple[float, float], kind: str
) -> str:
    tips = Tooltips()
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        # Widths of glyphs that the font lacks are slightly wrong; the reader's font has them.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure = Figure(figsize=size_in, layout="constrained")
        canvas = FigureCanvasSVG(figure)
        draw(figure, tips)
        written = io.StringIO()
        no_metadata = {"Date": None, "Creator": None, "Type": None, "Format": None}
        for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
            patch.set(facecolor="none", edgecolor="none")
        # ``savefig`` draws a figure with a layout twice, first without output.
        canvas.print_svg(written, metadata=no_metadata)  # type: ignore[no-untyped-call]
    return _to_inline_svg(written.getvalue(), name, label, tips, kind)


def _to_inline_svg(svg: str, name: str, label: str, tips: Tooltips, kind: str) -> str:
    """Converts a Matplotlib SVG file to an element of a page."""
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(svg)  # noqa: S314  # our own output
    for child in [
        element for element in root if element.tag in {f"{{{SVG}}}metadata", f"{{{SVG}}}defs"}
    ]:
        if child.find(f"{{{SVG}}}style") is not None or child.tag.endswith("metadata"):
            root.remove(child)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    for element in root.iter():
        _adapt_element(element, name, used, tips)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.attrib |= {"role": "img", "aria-label": label, "class": f"picture {kind}"}
    text = ET.tostring(root, encoding="unicode")
    return _MARK_PATTERN.sub(lambda match: f"var(--{_VARIABLES[int(match[1], 16)]})", text)


def _adapt_element(element: ET.Element, name: str, used: set[str], tips: Tooltips) -> None:
    attributes = element.attrib
    mark = attributes.pop("id", None)
    if mark in used:
        attributes["id"] = f"{name}-{mark}"
    elif mark in tips.texts:
        attributes["class"] = mark.partition("-")[0]
        title = ET.Element(f"{{{SVG}}}title")
        title.text = tips.texts[mark]
        element.insert(0, title)
    if (link := attributes.get(f"{{{XLINK}}}href", "")).startswith("#"):
        attributes[f"{{{XLINK}}}href"] = f"#{name}-{link[1:]}"
    if (clip := attributes.get("clip-path", "")).startswith("url(#"):
        attributes["clip-path"] = f"url(#{name}-{clip[5:]}"
    if element.tag == f"{{{SVG}}}text" and "style" in attributes:
        attributes["style"] = re.sub(r"font-family: [^;]*;? ?", "", attributes["style"])
        attributes["style"] = re.sub(
            r"font: ([\d.]+px) [^;]*", r"font-size: \1", attributes["style"]
        )
    if element.tag == f"{{{SVG}}}path" and "d" in attributes:
        attributes["d"] = re.sub(
            r"\d+\.\d+", lambda match: f"{float(match[0]):.1f}", attributes["d"]
        )
        attributes["d"] = " ".join(attributes["d"].split())


def is_narrow(figure: Figure) -> bool:
    """Returns whether a figure is drawn for a phone."""
    return float(figure.get_figwidth()) < WIDTH_IN


def make_panels(figure: Figure, count: int, **options: Any) -> list[Axes]:
    """Returns axes beside each other, or below each other on a phone."""
    rows, columns = (count, 1) if is_narrow(figure) else (1, count)
    return list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def add_legend(figure: Figure, handles: Sequence[Any]) -> None:
    """Adds a legend above the axes, in as many columns as its entries leave room for."""
    labels = [str(handle.get_label()) for handle in handles]
    longest = max(map(len, labels), default=0)
    room_in = float(figure.get_figwidth())
    line_characters = max(1, int((room_in - LEGEND_HANDLE_IN) / LEGEND_CHARACTER_IN))
    width_in = LEGEND_HANDLE_IN + LEGEND_CHARACTER_IN * min(longest, line_characters)
    columns = min(LEGEND_COLUMNS_MAX, max(1, int(room_in / width_in)))
    wrapped = [textwrap.fill(label, line_characters) for label in labels]
    figure.legend(handles, wrapped, loc="outside upper left", ncols=columns)


def wrap_ticks(figure: Figure, labels: Sequence[str]) -> list[str]:
    """Returns the labels of an axis at the left, in lines short enough for the figure."""
    return [textwrap.fill(label, TICK_CHARACTERS_MAX[is_narrow(figure)]) for label in labels]


def style_axes(axes: Axes, *, grid: str = "y") -> None:
    """Removes the ticks of axes, and draws a faint grid along ``grid``."""
    axes.tick_params(which="both", length=0, labelsize=8.5)
    axes.grid(visible=True, axis="x" if grid == "x" else "y")


def legend_label(name: str) -> str:
    """Returns a legend label; Matplotlib would hide one that begins with ``_``."""
    return f"\u200b{name}" if name.startswith("_") else name


def series_colour(index: int) -> str:
    """Returns the colour of the ``index``-th series; beyond the last, that of other series."""
    return mark_colour(f"c{index if index < SERIES_COLOURS else SERIES_COLOURS}")
