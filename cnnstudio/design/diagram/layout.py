"""Layout of a drawing that shows a network as volumes, as in papers.

From left to right each layer is a slanted box. The height and width of its image face follow those of the
feature maps, and its depth the number of channels. Layers that keep the shape and only change the values
(activation, normalization, dropout) are thin sheets on the box before them. Flat vectors are thin bars.
Groups are brackets; groups with branches are parallel lanes. Uses the standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnstudio.core.formatting import format_count, pluralize
from cnnstudio.design.analysis.analysis import Analysis, LayerReport
from cnnstudio.design.diagram.shapes import TURN, Box, Caption, Drawing, Point, State, Wire, text_width
from cnnstudio.design.network import Node
from cnnstudio.layers.base import Family, Group, Shape

MAXIMUM_BOXES = 400
"""Boxes per drawing. The rest of a longer network is only counted, in a note at the end."""

_MAXIMUM_HEIGHT, _MINIMUM_HEIGHT = 120.0, 9.0
_SLANT = 0.34, 0.27
_SHEET = 5.0
_BAR = 9.0
_GAP = 18.0
_TIGHT = 7.0
_SPACING = 11.0
_TITLE, _DETAIL = 11.0, 10.0
_LINE = 13.0
_WRAP, _MAXIMUM_LINES = 66.0, 3
_CROWDED = 26
"""If there are more labels than this, they are turned."""
_LANE_GAP = 16.0
_FAN = 22.0
_MARGIN = 16.0
_SHEETS = (Family.ACTIVATION, Family.REGULARIZATION)


def draw_network(analysis: Analysis, *, labels: bool = True) -> Drawing:
    """The drawing of the network's active layers. Without `labels` it is laid out as a thumbnail."""
    builder = _DiagramBuilder(analysis, labels)
    row = builder.network_row()
    title = f"{analysis.network.name}: {pluralize(len(analysis.network), 'layer')}"
    return row.finished(title)


@dataclass(slots=True)
class _Label:
    """The text below a box and its sheets: a title on several lines, and the shape if it is new."""

    node_id: str | None
    center: float
    lines: tuple[str, ...]
    detail: str
    token: str


@dataclass(frozen=True, slots=True)
class _BoxSize:
    """The dimensions of a box; `slant` is the offset from its front to its back."""

    width: float
    height: float
    slant: Point


class _DiagramBuilder:
    """The scale and style of one drawing, and how many boxes may still be drawn."""

    def __init__(self, analysis: Analysis, labels: bool) -> None:
        self.analysis = analysis
        self.labels = labels
        # A thumbnail is scaled to a given width: the less of it is depth, the higher its boxes are.
        self.gap, self._channel_depth = (_GAP, 4.0) if labels else (_GAP / 2, 2.2)
        shapes = [analysis.network.input, *(report.output for report in analysis.reports if report.output)]
        sides = [side for shape in shapes if shape.is_image for side in (shape.height, shape.width)]
        self._largest = max(sides)
        # Lanes are stacked: the more there are, the smaller everything has to be.
        lanes = max([1, *(len(node.children) for node in analysis.network.walk() if node.has_branches)])
        self._tallest = max(_MAXIMUM_HEIGHT / math.sqrt(lanes), _MAXIMUM_HEIGHT / 2)
        self.is_crowded = _count_labels(analysis.network.nodes) > _CROWDED
        self.boxes_left = MAXIMUM_BOXES
        self.skipped = 0

    def network_row(self) -> _Row:
        row = _Row(self)
        shape = self.analysis.network.input
        row.box(None, f"Input, {shape}", "group", "known", shape, "Input")
        for node in self.analysis.network.nodes:
            row.node(node)
        row.end()
        if self.skipped:
            row.add_note(f"and {format_count(self.skipped)} more")
        elif not any(node.is_active for node in self.analysis.network.nodes):
            row.add_note("no layers yet")
        row.write_labels()
        return row

    def title_lines(self, title: str) -> tuple[str, ...]:
        """The lines of a title below a box; none in a thumbnail."""
        if not self.labels or not title:
            return ()
        return (title,) if self.is_crowded else _wrapped(title)

    def box_size(self, shape: Shape, is_sheet: bool) -> _BoxSize:
        if shape.is_flat:
            height = min(0.115 * math.log2(1 + shape.features), 1.35) * self._tallest
            return _BoxSize(_BAR, height, (_BAR * 0.7, _BAR * 0.5))
        width = self._pixels(shape.width)
        slant = _SLANT[0] * width, _SLANT[1] * width
        depth = _SHEET if is_sheet else 2 + self._channel_depth * math.log2(1 + shape.channels)
        return _BoxSize(depth, self._pixels(shape.height), slant)

    def _pixels(self, side: int) -> float:
        """The length of an image's side. Sublinear, or 4 × 4 would be a dot beside 64 × 64."""
        return max(self._tallest * math.pow(side / self._largest, 0.6), _MINIMUM_HEIGHT)


class _Row:
    """Boxes along one line from left to right; the line is at y = 0 and passes through their middle."""

    def __init__(self, builder: _DiagramBuilder) -> None:
        self._builder = builder
        self.boxes: list[Box] = []
        self.wires: list[Wire] = []
        self.captions: list[Caption] = []
        self._pending_labels: list[_Label] = []
        self._right = 0.0
        self._labels_right = self._lanes_right = -math.inf
        self._label_top = 0.0
        """The y below which the pending labels are written: the bottom of the lowest box."""
        self._shape: Shape | None = None
        self._line_start = 0.0
        self._neighbor: Box | None = None
        """The box that the next one may touch; None at the border of a group."""
        self.top = self.bottom = 0.0

    # Nodes

    def node(self, node: Node) -> None:
        """Draws a node and everything inside it at the end of the row."""
        if not node.is_active:
            return
        if isinstance(node.layer, Group):
            self._group(node, node.layer)
        elif self._builder.boxes_left:
            self._builder.boxes_left -= 1
            self._layer(node)
        else:
            self._builder.skipped += 1

    def _layer(self, node: Node) -> None:
        report = self._builder.analysis[node.id]
        state, has_label = _state(report), _has_label(node)
        token, description = node.layer.family.name.lower(), describe_layer(report)
        if has_label or state != "known" or not self._sheet(node, description, token, report.output):
            title = node.title if has_label or state == "faulty" else ""
            self.box(node.id, description, token, state, report.output, title, is_sheet=not has_label)

    def _sheet(self, node: Node, description: str, token: str, shape: Shape | None) -> bool:
        """Puts a sheet on the previous box if that has the same shape and no group border is in between."""
        before = self._neighbor
        if before is None or shape != self._shape:
            return False
        corner = before.x + before.width, before.y
        self._put(
            Box(
                node.id,
                description,
                token,
                before.face,
                "known",
                *corner,
                _SHEET,
                before.height,
                before.slant,
            )
        )
        if self._pending_labels:
            self._pending_labels[-1].center += _SHEET / 2
            self._labels_right += _SHEET / 2
        return True

    def box(
        self,
        node_id: str | None,
        description: str,
        token: str,
        state: State,
        shape: Shape | None,
        title: str,
        *,
        is_sheet: bool = False,
    ) -> None:
        """Adds a separate, labeled box to the row. If its shape is unknown, it gets the previous shape."""
        drawn_shape = shape or self._shape or self._builder.analysis.network.input
        size = self._builder.box_size(drawn_shape, is_sheet)
        lines = self._builder.title_lines(f"! {title}" if state == "faulty" else title)
        detail = str(shape) if lines and shape is not None and shape != self._shape else ""
        x = self._next_x(size, drawn_shape, lines, detail)
        self._shape = drawn_shape
        corner = x, (size.slant[1] - size.height) / 2
        self._put(
            Box(node_id, description, token, token, state, *corner, size.width, size.height, size.slant)
        )
        if lines or detail:
            center = x + (size.width + size.slant[0]) / 2
            tone = "wrong" if state == "faulty" else "text"
            self._pending_labels.append(_Label(node_id, center, lines, detail, tone))
            self._labels_right = center + self._label_width(lines, detail) / 2

    def _next_x(self, size: _BoxSize, shape: Shape, lines: tuple[str, ...], detail: str) -> float:
        """The left edge of the next box, so that neither boxes nor labels overlap."""
        before = self._neighbor
        x = self._right + self._builder.gap if self.boxes or self._right else 0.0
        if before is not None and shape == self._shape:
            # Boxes of one shape may be close together, because they do not hide each other's labels.
            shift = 0.0 if self._builder.is_crowded else 0.6 * size.slant[0]
            x = before.x + before.width + shift + _TIGHT
        if lines or detail:
            half, middle = self._label_width(lines, detail) / 2, (size.width + size.slant[0]) / 2
            x = max(x, self._labels_right + _SPACING + half - middle)
        if lines and self._builder.is_crowded:
            # Turned labels extend to the left, where lanes may be.
            reach = text_width(f"{lines[0]}  {detail}", _DETAIL) * math.cos(math.radians(TURN))
            x = max(x, self._lanes_right + reach - middle)
        return x

    def _label_width(self, lines: tuple[str, ...], detail: str) -> float:
        if self._builder.is_crowded:
            return _LINE - _SPACING + 2
        return max([text_width(line, _TITLE) for line in lines] + [text_width(detail, _DETAIL)])

    def _put(self, box: Box) -> None:
        self.boxes.append(box)
        self._neighbor = box
        self._right = box.right
        self.top = min(self.top, box.y - box.slant[1])
        self._label_top = max(self._label_top, box.y + box.height)
        self.bottom = max(self.bottom, self._label_top)

    # Groups

    def _group(self, node: Node, group: Group) -> None:
        if node.has_branches:
            self._lanes(node)
        elif group.is_transparent and not node.name:
            for child in node.children:
                self.node(child)
        else:
            self._bracket(node, group)

    def _bracket(self, node: Node, group: Group) -> None:
        """Draws the contents under a bracket with the group's name; of a Residual it is the shortcut."""
        start = self._right + self._builder.gap
        self._right, self._neighbor = start - self._builder.gap / 3, None
        outer, self.top = self.top, 0.0
        for child in node.children:
            self.node(child)
        y = self.top - _SPACING
        title = node.title + (f" × {format_count(group.copies())}" if group.copies() > 1 else "")
        end = self._right + self._builder.gap * 0.7
        if self._builder.labels:
            is_faulty = _is_faulty(self._builder.analysis[node.id])
            title, token = (f"! {title}", "wrong") if is_faulty else (title, "secondary")
            self.captions.append(Caption(node.id, title, start, y - 4, _DETAIL, token, "start"))
            end = max(end, start + text_width(title, _DETAIL) - self._builder.gap / 2)
        legs = (start, 0.0 if group.has_shortcut else y + 6), (end, 0.0 if group.has_shortcut else y + 6)
        points = (legs[0], (start, y), (end, y), legs[1])
        self.wires.append(Wire(points, "plus" if group.has_shortcut else "plain"))
        self._right, self._neighbor = end, None
        self.top = min(outer, y - _LINE - 2)

    def _lanes(self, node: Node) -> None:
        """Draws each branch on a separate line; they meet in a box with the shape of the group's output."""
        lanes = [self._lane(child) for child in node.children if child.enabled]
        self.write_labels()
        fork = max(self._right + self._builder.gap / 2, self._labels_right + _SPACING)
        longest = max(lane.right - lane.left for lane in lanes)
        join = fork + longest + 2 * _FAN
        total = sum(lane.bottom - lane.top for lane in lanes) + _LANE_GAP * (len(lanes) - 1)
        # Centered around y = 0, then shifted so that the lane closest to it is exactly on the row's line.
        upper = -total / 2
        axes = []
        for lane in lanes:
            axes.append(upper - lane.top)
            upper += lane.bottom - lane.top + _LANE_GAP
        shift = min(axes, key=abs)
        for lane, axis in zip(lanes, (axis - shift for axis in axes), strict=True):
            self._add_lane(lane, (fork + join - lane.left - lane.right) / 2, axis)
            self.wires.append(Wire(((fork, 0.0), (fork, axis), (join, axis), (join, 0.0))))
        self.top = min(self.top, -total / 2 - shift)
        self.bottom = max(self.bottom, total / 2 - shift)
        self.wires.append(Wire(((self._line_start, 0.0), (fork, 0.0))))
        self._line_start = join
        self._neighbor = self._shape = None
        self._right = join - self._builder.gap / 3
        self._labels_right = self._lanes_right = join
        report = self._builder.analysis[node.id]
        self.box(node.id, describe_layer(report), "group", _state(report), report.output, node.title)

    def _lane(self, branch: Node) -> _Row:
        lane = _Row(self._builder)
        lane.node(branch)
        lane.write_labels()
        return lane

    def _add_lane(self, lane: _Row, across: float, down: float) -> None:
        self.boxes += [box.translated(across, down) for box in lane.boxes]
        self.wires += [wire.translated(across, down) for wire in lane.wires]
        self.captions += [caption.translated(across, down) for caption in lane.captions]

    # The whole row

    @property
    def left(self) -> float:
        """The leftmost x of the row, captions included."""
        return min([0.0, *(caption.area[0] for caption in self.captions)])

    @property
    def right(self) -> float:
        """The rightmost x of the row, captions included."""
        return max([self._right, *(caption.area[2] for caption in self.captions)])

    def end(self) -> None:
        """Draws the arrow after the last box."""
        self._right += self._builder.gap + 2
        self.wires.append(Wire(((self._line_start, 0.0), (self._right, 0.0)), "arrow"))

    def add_note(self, text: str) -> None:
        """Writes a note after the arrow."""
        if self._builder.labels:
            x = self._right + _SPACING
            self.captions.append(Caption(None, text, x, 4.0, _TITLE, "secondary", "start"))

    def write_labels(self) -> None:
        """Writes the pending labels, all starting at the same height."""
        make = self._turned_captions if self._builder.is_crowded else self._upright_captions
        new = [caption for label in self._pending_labels for caption in make(label)]
        self.captions += new
        self.bottom = max([self.bottom, *(caption.area[3] for caption in new)])
        self._pending_labels.clear()
        self._label_top = 0.0

    def _upright_captions(self, label: _Label) -> Iterator[Caption]:
        y = self._label_top + _TITLE + 6
        for line in label.lines:
            yield Caption(label.node_id, line, label.center, y, _TITLE, label.token, is_strong=True)
            y += _LINE
        if label.detail:
            yield Caption(label.node_id, label.detail, label.center, y, _DETAIL, "secondary")

    def _turned_captions(self, label: _Label) -> Iterator[Caption]:
        text = "  ".join(part for part in (*label.lines, label.detail) if part)
        end = label.center + _DETAIL / 3, self._label_top + _DETAIL + 4
        yield Caption(label.node_id, text, *end, _DETAIL, label.token, "end", is_turned=True)

    def finished(self, title: str) -> Drawing:
        """The row as a drawing, moved so that its upper left corner is at (0, 0)."""
        ends = [point for wire in self.wires for point in wire.points]
        areas = [caption.area for caption in self.captions]
        left = min([self.left, *(point[0] for point in ends)]) - _MARGIN
        top = min([self.top, *(point[1] for point in ends)]) - _MARGIN
        right = max([self.right, *(point[0] for point in ends), *(area[2] for area in areas)]) + _MARGIN
        bottom = max([self.bottom, *(area[3] for area in areas)]) + _MARGIN
        return Drawing(
            title,
            right - left,
            bottom - top,
            tuple(wire.translated(-left, -top) for wire in self.wires),
            tuple(box.translated(-left, -top) for box in self.boxes),
            tuple(caption.translated(-left, -top) for caption in self.captions),
        )


def _count_labels(nodes: Sequence[Node]) -> int:
    """The number of labels side by side: of parallel branches, only the longest counts."""
    return sum(
        (max(map(_count_labels, [[child] for child in node.children]), default=0) + 1)
        if node.has_branches
        else _count_labels(node.children) + _has_label(node)
        for node in nodes
    )


def _has_label(node: Node) -> bool:
    """Whether the layer is a separate box with a label, not a sheet on the box before it."""
    return not node.is_group and node.layer.family not in _SHEETS


def _state(report: LayerReport) -> State:
    return "faulty" if _is_faulty(report) else "known" if report.output else "unknown"


def _is_faulty(report: LayerReport) -> bool:
    return report.problem is not None and not report.problem.missing


def describe_layer(report: LayerReport) -> str:
    """One line on a layer: its title and summary, and its problem or output shape."""
    node = report.node
    text = f"{node.title}, {node.layer.summary()}" if node.layer.summary() else node.title
    if report.problem and _is_faulty(report):
        return f"{text}: {report.problem.message}"
    return f"{text}: {report.output}" if report.output else text


def _wrapped(title: str) -> tuple[str, ...]:
    """The title on up to three lines, broken at spaces and at the capitals of a type's name."""
    lines = [""]
    for part in re.findall(r"\s*(?:[A-Z]*[^\sA-Z]+|[A-Z]+)", title):
        longer = lines[-1] + part
        if not lines[-1] or len(lines) == _MAXIMUM_LINES or text_width(longer, _TITLE) <= _WRAP:
            lines[-1] = longer
        else:
            lines.append(part.strip())
    return tuple(lines)
