"""Where everything stands in a drawing of a network as volumes, the way papers draw it.

From left to right each layer is a slanted box: its image face has the height and width of the feature maps,
its depth follows the channels. What keeps the shape and only changes the numbers (activation, normalization,
dropout) is a sheet on the box before it. Flat vectors are thin bars. Groups are brackets, those with branches
lanes. Standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnstudio.core.formatting import count, plural
from cnnstudio.design.analysis.analysis import Analysis, LayerReport
from cnnstudio.design.diagram.shapes import TURN, Box, Caption, Drawing, Point, State, Wire, text_width
from cnnstudio.design.network import Node
from cnnstudio.layers.base import Family, Group, Shape

MOST_VOLUMES = 400
"""Layers that are drawn; of a longer network the rest is a number at the end."""

_TALLEST, _LOWEST = 120.0, 9.0
_SLANT = 0.34, 0.27
_SHEET = 5.0
_BAR = 9.0
_GAP = 18.0
_TIGHT = 7.0
_ROOM = 11.0
_TITLE, _DETAIL = 11.0, 10.0
_LINE = 13.0
_WRAP, _MOST_LINES = 66.0, 3
_CROWDED = 26
"""Labeled columns from which on labels are turned."""
_LANE_GAP = 16.0
_FAN = 22.0
_MARGIN = 16.0
_SHEETS = (Family.ACTIVATION, Family.REGULARIZATION)


def volumes(analysis: Analysis, *, labels: bool = True) -> Drawing:
    """The drawing of the network, without what is switched off. Without `labels` it is for thumbnails."""
    draftsman = _Draftsman(analysis, labels)
    row = draftsman.network()
    title = f"{analysis.network.name}: {plural(len(analysis.network), 'layer')}"
    return row.finished(title)


@dataclass(slots=True)
class _Column:
    """One box with the sheets on it, and the words below it."""

    node_id: str | None
    center: float
    lines: tuple[str, ...]
    detail: str
    token: str


@dataclass(frozen=True, slots=True)
class _Body:
    """The measures of a box."""

    width: float
    height: float
    slant: Point


class _Draftsman:
    """Knows the scale and the style of one drawing, and makes its rows."""

    def __init__(self, analysis: Analysis, labels: bool) -> None:
        self.analysis = analysis
        self.labels = labels
        # Thumbnails are small: what goes into the depth would be lost to the height.
        self.gap, self._channel_depth = (_GAP, 4.0) if labels else (_GAP / 2, 2.2)
        shapes = [analysis.network.input, *(report.output for report in analysis.reports if report.output)]
        sides = [side for shape in shapes if shape.is_image for side in (shape.height, shape.width)]
        self._largest = max(sides)
        # Lanes stand above each other: the more there are, the smaller is all.
        lanes = max([1, *(len(node.children) for node in analysis.network.walk() if node.has_branches)])
        self._tallest = max(_TALLEST / math.sqrt(lanes), _TALLEST / 2)
        self.is_crowded = _columns(analysis.network.nodes) > _CROWDED
        self.left = MOST_VOLUMES
        self.skipped = 0

    def network(self) -> _Row:
        row = _Row(self)
        shape = self.analysis.network.input
        row.box(None, f"Input, {shape}", "group", "known", shape, "Input")
        for node in self.analysis.network.nodes:
            row.node(node)
        row.end()
        if self.skipped:
            row.remark(f"and {count(self.skipped)} more")
        elif not any(node.is_active for node in self.analysis.network.nodes):
            row.remark("no layers yet")
        row.write_labels()
        return row

    def lines(self, title: str) -> tuple[str, ...]:
        """The title as it stands under a box."""
        if not self.labels or not title:
            return ()
        return (title,) if self.is_crowded else _wrapped(title)

    def body(self, shape: Shape, is_sheet: bool) -> _Body:
        if shape.is_flat:
            height = min(0.115 * math.log2(1 + shape.features), 1.35) * self._tallest
            return _Body(_BAR, height, (_BAR * 0.7, _BAR * 0.5))
        width = self._pixels(shape.width)
        slant = _SLANT[0] * width, _SLANT[1] * width
        depth = _SHEET if is_sheet else 2 + self._channel_depth * math.log2(1 + shape.channels)
        return _Body(depth, self._pixels(shape.height), slant)

    def _pixels(self, side: int) -> float:
        """Softer than in proportion: else an image of 4 × 4 were a dot beside one of 64 × 64."""
        return max(self._tallest * math.pow(side / self._largest, 0.6), _LOWEST)


class _Row:
    """What stands on one line from left to right; the line runs at y = 0 through the middle of the boxes."""

    def __init__(self, draftsman: _Draftsman) -> None:
        self._draftsman = draftsman
        self.boxes: list[Box] = []
        self.wires: list[Wire] = []
        self.captions: list[Caption] = []
        self._columns: list[_Column] = []
        self._right = 0.0
        self._words_right = self._lanes_end = -math.inf
        self._ground = 0.0
        """The height under which the words of the columns go."""
        self._shape: Shape | None = None
        self._flows_from = 0.0
        self._neighbor: Box | None = None
        """The box that the next one may touch; None after the border of a group."""
        self.top = self.bottom = 0.0

    # Nodes

    def node(self, node: Node) -> None:
        """Draws a node and all in it at the end of the row."""
        if not node.is_active:
            return
        if isinstance(node.layer, Group):
            self._group(node, node.layer)
        elif self._draftsman.left:
            self._draftsman.left -= 1
            self._layer(node)
        else:
            self._draftsman.skipped += 1

    def _layer(self, node: Node) -> None:
        report = self._draftsman.analysis[node.id]
        state, has_column = _state(report), _has_column(node)
        token, words = node.layer.family.name.lower(), layer_words(report)
        if has_column or state != "known" or not self._sheet(node, words, token, report.output):
            title = node.title if has_column or state == "faulty" else ""
            self.box(node.id, words, token, state, report.output, title, is_sheet=not has_column)

    def _sheet(self, node: Node, words: str, token: str, shape: Shape | None) -> bool:
        """Lays a sheet on the box before, if it has the same shape and stands in the same list."""
        before = self._neighbor
        if before is None or shape != self._shape:
            return False
        place = before.x + before.width, before.y
        self._put(
            Box(node.id, words, token, before.face, "known", *place, _SHEET, before.height, before.slant)
        )
        if self._columns:
            self._columns[-1].center += _SHEET / 2
            self._words_right += _SHEET / 2
        return True

    def box(
        self,
        node_id: str | None,
        words: str,
        token: str,
        state: State,
        shape: Shape | None,
        title: str,
        *,
        is_sheet: bool = False,
    ) -> None:
        """A box of its own at the end of the row, and its column of words."""
        shown = shape or self._shape or self._draftsman.analysis.network.input
        body = self._draftsman.body(shown, is_sheet)
        lines = self._draftsman.lines(f"! {title}" if state == "faulty" else title)
        detail = str(shape) if lines and shape is not None and shape != self._shape else ""
        x = self._place(body, shown, lines, detail)
        self._shape = shown
        place = x, (body.slant[1] - body.height) / 2
        self._put(Box(node_id, words, token, token, state, *place, body.width, body.height, body.slant))
        if lines or detail:
            center = x + (body.width + body.slant[0]) / 2
            tone = "wrong" if state == "faulty" else "text"
            self._columns.append(_Column(node_id, center, lines, detail, tone))
            self._words_right = center + self._words_width(lines, detail) / 2

    def _place(self, body: _Body, shape: Shape, lines: tuple[str, ...], detail: str) -> float:
        """Where the front of the next box begins, so that neither boxes nor words touch."""
        before = self._neighbor
        x = self._right + self._draftsman.gap if self.boxes or self._right else 0.0
        if before is not None and shape == self._shape:
            # Slabs of one size may stand close behind each other.
            shift = 0.0 if self._draftsman.is_crowded else 0.6 * body.slant[0]
            x = before.x + before.width + shift + _TIGHT
        if lines or detail:
            half, middle = self._words_width(lines, detail) / 2, (body.width + body.slant[0]) / 2
            x = max(x, self._words_right + _ROOM + half - middle)
        if lines and self._draftsman.is_crowded:
            # Turned words come from the left, where lanes may be.
            reach = text_width(f"{lines[0]}  {detail}", _DETAIL) * math.cos(math.radians(TURN))
            x = max(x, self._lanes_end + reach - middle)
        return x

    def _words_width(self, lines: tuple[str, ...], detail: str) -> float:
        if self._draftsman.is_crowded:
            return _LINE - _ROOM + 2
        return max([text_width(line, _TITLE) for line in lines] + [text_width(detail, _DETAIL)])

    def _put(self, box: Box) -> None:
        self.boxes.append(box)
        self._neighbor = box
        self._right = box.right
        self.top = min(self.top, box.y - box.slant[1])
        self._ground = max(self._ground, box.y + box.height)
        self.bottom = max(self.bottom, self._ground)

    # Groups

    def _group(self, node: Node, group: Group) -> None:
        if node.has_branches:
            self._lanes(node)
        elif group.transparent and not node.name:
            for child in node.children:
                self.node(child)
        else:
            self._bracket(node, group)

    def _bracket(self, node: Node, group: Group) -> None:
        """The contents under a bracket with the group's name; its legs are the shortcut, if there is one."""
        start = self._right + self._draftsman.gap
        self._right, self._neighbor = start - self._draftsman.gap / 3, None
        outer, self.top = self.top, 0.0
        for child in node.children:
            self.node(child)
        y = self.top - _ROOM
        words = node.title + (f" × {count(group.copies())}" if group.copies() > 1 else "")
        end = self._right + self._draftsman.gap * 0.7
        if self._draftsman.labels:
            faulty = self._draftsman.analysis[node.id].problem is not None
            words, token = (f"! {words}", "wrong") if faulty else (words, "secondary")
            self.captions.append(Caption(node.id, words, start, y - 4, _DETAIL, token, "start"))
            end = max(end, start + text_width(words, _DETAIL) - self._draftsman.gap / 2)
        legs = (start, 0.0 if group.skips else y + 6), (end, 0.0 if group.skips else y + 6)
        points = (legs[0], (start, y), (end, y), legs[1])
        self.wires.append(Wire(points, "plus" if group.skips else "plain"))
        self._right, self._neighbor = end, None
        self.top = min(outer, y - _LINE - 2)

    def _lanes(self, node: Node) -> None:
        """Each branch on a line of its own; they meet in a box with the shape of the group's output."""
        lanes = [self._lane(child) for child in node.children if child.enabled]
        self.write_labels()
        fork = max(self._right + self._draftsman.gap / 2, self._words_right + _ROOM)
        longest = max(lane.right - lane.left for lane in lanes)
        join = fork + longest + 2 * _FAN
        total = sum(lane.bottom - lane.top for lane in lanes) + _LANE_GAP * (len(lanes) - 1)
        # The lane that is nearest to the middle goes straight on.
        upper = -total / 2
        axes = []
        for lane in lanes:
            axes.append(upper - lane.top)
            upper += lane.bottom - lane.top + _LANE_GAP
        shift = min(axes, key=abs)
        for lane, axis in zip(lanes, (axis - shift for axis in axes), strict=True):
            self._take(lane, (fork + join - lane.left - lane.right) / 2, axis)
            self.wires.append(Wire(((fork, 0.0), (fork, axis), (join, axis), (join, 0.0))))
        self.top = min(self.top, -total / 2 - shift)
        self.bottom = max(self.bottom, total / 2 - shift)
        self.wires.append(Wire(((self._flows_from, 0.0), (fork, 0.0))))
        self._flows_from = join
        self._neighbor = self._shape = None
        self._right = join - self._draftsman.gap / 3
        self._words_right = self._lanes_end = join
        report = self._draftsman.analysis[node.id]
        self.box(node.id, layer_words(report), "group", _state(report), report.output, node.title)

    def _lane(self, branch: Node) -> _Row:
        lane = _Row(self._draftsman)
        lane.node(branch)
        lane.write_labels()
        return lane

    def _take(self, lane: _Row, across: float, down: float) -> None:
        self.boxes += [box.moved(across, down) for box in lane.boxes]
        self.wires += [wire.moved(across, down) for wire in lane.wires]
        self.captions += [caption.moved(across, down) for caption in lane.captions]

    # The whole row

    @property
    def left(self) -> float:
        """Where its leftmost part begins."""
        return min([0.0, *(caption.area[0] for caption in self.captions)])

    @property
    def right(self) -> float:
        """Where its rightmost part ends."""
        return max([self._right, *(caption.area[2] for caption in self.captions)])

    def end(self) -> None:
        """The arrow out of the last box."""
        self._right += self._draftsman.gap + 2
        self.wires.append(Wire(((self._flows_from, 0.0), (self._right, 0.0)), "arrow"))

    def remark(self, words: str) -> None:
        """Words behind the arrow."""
        if self._draftsman.labels:
            self.captions.append(Caption(None, words, self._right + _ROOM, 4.0, _TITLE, "secondary", "start"))

    def write_labels(self) -> None:
        """Puts the words under the boxes that have none yet, all from one height on."""
        turned = self._draftsman.is_crowded
        new = [
            part for each in self._columns for part in (self._turned(each) if turned else self._level(each))
        ]
        self.captions += new
        self.bottom = max([self.bottom, *(caption.area[3] for caption in new)])
        self._columns.clear()
        self._ground = 0.0

    def _level(self, column: _Column) -> Iterator[Caption]:
        y = self._ground + _TITLE + 6
        for line in column.lines:
            yield Caption(column.node_id, line, column.center, y, _TITLE, column.token, is_strong=True)
            y += _LINE
        if column.detail:
            yield Caption(column.node_id, column.detail, column.center, y, _DETAIL, "secondary")

    def _turned(self, column: _Column) -> Iterator[Caption]:
        text = "  ".join(part for part in (*column.lines, column.detail) if part)
        place = column.center + _DETAIL / 3, self._ground + _DETAIL + 4
        yield Caption(column.node_id, text, *place, _DETAIL, column.token, "end", is_turned=True)

    def finished(self, title: str) -> Drawing:
        """The row as a drawing that begins at 0, 0."""
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
            tuple(wire.moved(-left, -top) for wire in self.wires),
            tuple(box.moved(-left, -top) for box in self.boxes),
            tuple(caption.moved(-left, -top) for caption in self.captions),
        )


def _columns(nodes: Sequence[Node]) -> int:
    """How many labeled boxes stand beside each other."""
    return sum(
        (max(map(_columns, [[child] for child in node.children]), default=0) + 1)
        if node.has_branches
        else _columns(node.children) + _has_column(node)
        for node in nodes
    )


def _has_column(node: Node) -> bool:
    """Whether the layer is a box of its own: not a sheet on the one before."""
    return not node.is_group and node.layer.family not in _SHEETS


def _state(report: LayerReport) -> State:
    return "faulty" if report.problem else "known" if report.output else "unknown"


def layer_words(report: LayerReport) -> str:
    """One sentence on a layer: what it is, what it gives or what is wrong with it."""
    node = report.node
    words = f"{node.title}, {node.layer.summary()}" if node.layer.summary() else node.title
    if report.problem:
        return f"{words}: {report.problem.message}"
    return f"{words}: {report.output}" if report.output else words


def _wrapped(title: str) -> tuple[str, ...]:
    """The title on up to three lines, broken at spaces and between the words of a type's name."""
    lines = [""]
    for part in re.findall(r"\s*(?:[A-Z]*[^\sA-Z]+|[A-Z]+)", title):
        longer = lines[-1] + part
        if not lines[-1] or len(lines) == _MOST_LINES or text_width(longer, _TITLE) <= _WRAP:
            lines[-1] = longer
        else:
            lines.append(part.strip())
    return tuple(lines)
