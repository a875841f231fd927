"""A drawing of a network as SVG: `svg(draw_network(analysis), scheme_colors("light"))`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from cnnstudio.design.diagram.layout import describe_layer, draw_network
from cnnstudio.design.diagram.shapes import TURN, Box, Caption, Drawing, Point, Wire

__all__ = ["Drawing", "describe_layer", "draw_network", "svg"]

_CORNER = 7.0
_PLUS = 5.5
_ARROW = 6.0


def svg(drawing: Drawing, palette: Mapping[str, str], *, background: bool = True) -> str:
    """The drawing as the text of an SVG file, in the colors of `palette` (token -> #RRGGBB).

    With `background` it is filled with the color of the panels; otherwise it is transparent.
    """
    pen = _Pen(palette)
    width, height = _number(drawing.width), _number(drawing.height)
    title = escape(_printable(drawing.title))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif">',
        f"<title>{title}</title>",
    ]
    if background:
        lines.append(f'<rect width="{width}" height="{height}" fill="{palette["panel"]}"/>')
    lines += [line for wire in drawing.wires for line in pen.wire(wire)]
    lines += [line for box in drawing.boxes for line in pen.box(box)]
    lines += [pen.caption(caption) for caption in drawing.captions]
    return "\n".join([*lines, "</svg>", ""])


class _Pen:
    """Writes parts of a drawing as SVG elements, in the colors of one palette."""

    def __init__(self, palette: Mapping[str, str]) -> None:
        self._palette = palette

    def box(self, box: Box) -> Iterator[str]:
        color, panel = self._palette[box.token], self._palette["panel"]
        edge, width = (self._palette["wrong"], 1.6) if box.state == "faulty" else (color, 1)
        stroke = f'stroke="{edge}" stroke-width="{width}" stroke-linejoin="round"'
        top, side = box.sides
        corners = box.outline
        front = (corners[0], (corners[4][0], corners[0][1]), corners[4], corners[5])
        # Mixed with the panel's color: least for the front, most for the image face, to look lit from the
        # right.
        face = self._palette[box.face]
        shades = (mixed(color, panel, 0.28), mixed(face, panel, 0.72), mixed(color, panel, 0.50))
        if box.state == "unknown":
            shades = (panel, panel, panel)
            stroke += ' stroke-dasharray="3 3"'
        yield f"<g {stroke}><title>{escape(_printable(box.description))}</title>"
        for corners, shade in zip((front, side, top), shades, strict=True):
            yield f'<polygon points="{_points(corners)}" fill="{shade}"/>'
        yield "</g>"

    def wire(self, wire: Wire) -> Iterator[str]:
        color = self._palette["secondary"]
        yield f'<path d="{_rounded(wire.points)}" fill="none" stroke="{color}" stroke-width="1.2"/>'
        x, y = wire.points[-1]
        if wire.end == "arrow":
            tip = ((x + _ARROW, y), (x - 2, y - _ARROW / 1.6), (x - 2, y + _ARROW / 1.6))
            yield f'<polygon points="{_points(tip)}" fill="{color}"/>'
        elif wire.end == "plus":
            panel, cross = self._palette["panel"], _PLUS - 2.5
            yield (
                f'<g fill="{panel}" stroke="{color}" stroke-width="1.2">'
                f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{_PLUS}"/>'
                f'<path d="M{_number(x - cross)} {_number(y)}H{_number(x + cross)}'
                f'M{_number(x)} {_number(y - cross)}V{_number(y + cross)}"/></g>'
            )

    def caption(self, caption: Caption) -> str:
        place = f'x="{_number(caption.x)}" y="{_number(caption.y)}"'
        if caption.is_turned:
            place += f' transform="rotate(-{TURN} {_number(caption.x)} {_number(caption.y)})"'
        weight = ' font-weight="600"' if caption.is_strong else ""
        return (
            f'<text {place} font-size="{_number(caption.size)}" text-anchor="{caption.anchor}"{weight} '
            f'fill="{self._palette[caption.token]}">{escape(_printable(caption.text))}</text>'
        )


def mixed(color: str, other: str, share: float) -> str:
    """A mixture of two colors, #RRGGBB; `share` is the fraction of the other, from 0 to 1."""
    pairs = ((int(color[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(first + (second - first) * share):02X}" for first, second in pairs)


def _rounded(points: Sequence[Point]) -> str:
    """The path through the points with rounded corners."""
    path = [f"M{_pair(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        path.append(f"L{_pair(_towards(corner, before))}Q{_pair(corner)} {_pair(_towards(corner, after))}")
    return "".join([*path, f"L{_pair(points[-1])}"])


def _towards(start: Point, end: Point) -> Point:
    """The point where the rounding of the corner at `start` meets the line to `end`, at most halfway."""
    across, down = end[0] - start[0], end[1] - start[1]
    length = (across * across + down * down) ** 0.5 or 1.0
    share = min(_CORNER / length, 0.5)
    return start[0] + across * share, start[1] + down * share


def _points(points: Sequence[Point]) -> str:
    return " ".join(map(_pair, points))


def _pair(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _printable(text: str) -> str:
    """The text without control characters, which XML does not allow."""
    return "".join(character for character in text if character.isprintable())
