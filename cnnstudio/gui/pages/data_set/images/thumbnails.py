"""Images as thumbnails: a row for each class, those of one class alone, or all in one sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea

from cnnstudio.core.formatting import pluralize
from cnnstudio.data.dataset import Rows, Split
from cnnstudio.gui.pages.data_set.images.thumbnail_painter import GAP, LEFT, NAMES, SIDES, TOP, paint
from cnnstudio.gui.pages.data_set.images.tiles import Tiles
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import arrow_step, is_enter, is_plain
from cnnstudio.gui.widgets.plain_text import plain_line

_WHEEL_STEP = 120
"""Of a mouse wheel, in eighths of a degree."""
_MARGIN_ROWS = 4
"""Rows above and below what is visible whose copies are made as well."""


class Thumbnails(QAbstractScrollArea):
    """Paints only what is visible, so that a million images cost no more than a few."""

    chosen = Signal(object)
    """The row number of the chosen image within the split."""
    activated = Signal(object)
    """The same, for a double click or Enter on an image where no class can be opened."""
    class_chosen = Signal(object)
    """The index of the class that is shown alone now, or None for all."""
    size_wanted = Signal(object)
    """The name of the size that the user turned to with Ctrl and the wheel."""
    left = Signal()
    """Escape was pressed where nothing is left to close."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("thumbnails")
        self.setAccessibleName("Images by class")
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.tiles = Tiles(self)
        self.tiles.loaded.connect(self.viewport().update)
        self.split: Split | None = None
        self.classes: tuple[str, ...] = ()
        self._rows: list[Rows] = []
        """The row numbers of the images of each class."""
        self._flat: Rows | None = None
        """All images in one sequence, where they are shown like that."""
        self._kinds: list[int] = []
        """The classes that have a row."""
        self.alone: int | None = None
        self.current: int | None = None
        """The row number of the chosen image."""
        self.marked: frozenset[int] = frozenset()
        """The row numbers of the images with a badge."""
        self.hint = ""
        self.side = SIDES["small"]
        """Of a thumbnail, in pixels."""
        self._turned = 0
        theme().changed.connect(self._on_theme_changed)

    # What is shown

    def show_split(self, split: Split, classes: tuple[str, ...]) -> None:
        """Shows the images of another split; `show_rows` says which of them and in which order."""
        self.split, self.classes, self.hint = split, classes, ""
        self.alone, self.current, self.marked = None, None, frozenset()
        self.tiles.show_split(split, round(self.side * self.devicePixelRatioF()))
        self.verticalScrollBar().setValue(0)

    def show_rows(self, rows: Sequence[Rows], flat: Rows | None = None, *, is_filtered: bool = False) -> None:
        """Shows these images of each class, or `flat`, all in one sequence. What is chosen stays chosen."""
        self._rows, self._flat = list(rows), flat
        # Of a few images that were found, classes without any would hide the others.
        self._kinds = [kind for kind, each in enumerate(self._rows) if len(each) or not is_filtered]
        if self.current is not None and not any(self.current in each for each in self._rows):
            self.current = None
        self._layout()

    @property
    def row_height(self) -> int:
        """Of the row of a class."""
        return self.side + GAP + 2

    def set_size(self, name: str) -> None:
        """Shows the images in another size, one of `SIDES`; the same ones stay at the top."""
        side = SIDES.get(name, SIDES["small"])
        if side == self.side:
            return
        pitch = self.side + GAP
        first = self.verticalScrollBar().value() // pitch * self.columns if self.sequence is not None else 0
        self.side = side
        self.tiles.show_split(self.split, round(side * self.devicePixelRatioF()))
        self._layout()
        if self.sequence is not None:
            self.verticalScrollBar().setValue(first // self.columns * (side + GAP))

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(event)
            return
        # A touch pad sends many small steps.
        self._turned += event.angleDelta().y()
        if abs(self._turned) >= _WHEEL_STEP:
            names = list(SIDES)
            here = list(SIDES.values()).index(self.side)
            wanted = names[min(max(here + (1 if self._turned > 0 else -1), 0), len(names) - 1)]
            self._turned = 0
            self.size_wanted.emit(wanted)
        event.accept()

    def show_hint(self, hint: str) -> None:
        """Shows a sentence, and gray places where images will be."""
        self.split, self._rows, self._kinds, self._flat = None, [], [], None
        self.current, self.alone = None, None
        self.tiles.show_split(None, self.side)
        self.hint = hint
        self.setAccessibleDescription(hint)
        self._layout()

    def show_class(self, index: int | None) -> None:
        """Shows the images of one class alone, or all classes for None."""
        if index != self.alone:
            self.alone = index
            self.verticalScrollBar().setValue(0)
            self._layout()
            self.class_chosen.emit(index)

    def mark(self, rows: frozenset[int]) -> None:
        """Puts a badge on these images."""
        if rows != self.marked:
            self.marked = rows
            self.viewport().update()

    @property
    def counts(self) -> list[int]:
        """The number of images of each class."""
        return [len(rows) for rows in self._rows]

    @property
    def sequence(self) -> Rows | None:
        """The images that are shown one after the other; None where classes have rows of their own."""
        return self._rows[self.alone] if self.alone is not None else self._flat

    def visible_names(self) -> list[tuple[int, int, int]]:
        """Class, upper edge and number of images of each row that is at least partly visible."""
        lines = [(self._kinds[line], line) for line in self._visible_lines()]
        return [(kind, self._line_top(line), len(self._rows[kind])) for kind, line in lines]

    # Places

    @property
    def columns(self) -> int:
        left = LEFT if self.sequence is not None else LEFT + NAMES
        return max((self.viewport().width() - left - LEFT + GAP) // (self.side + GAP), 1)

    def _layout(self) -> None:
        sequence = self.sequence
        if sequence is None:
            height = len(self._kinds) * self.row_height
        else:
            height = -(-len(sequence) // self.columns) * (self.side + GAP)
        height += 2 * TOP
        bar = self.verticalScrollBar()
        bar.setRange(0, max(height - self.viewport().height(), 0))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(self.row_height if sequence is None else self.side + GAP)
        if self._rows:
            self.setAccessibleDescription(pluralize(sum(self.counts), "image"))
        self.viewport().update()

    def _line_top(self, line: int) -> int:
        """Where a line of images begins, in the viewport."""
        pitch = self.row_height if self.sequence is None else self.side + GAP
        return TOP - self.verticalScrollBar().value() + line * pitch

    def _image_rect(self, line: int, column: int) -> QRect:
        left = LEFT if self.sequence is not None else LEFT + NAMES
        return QRect(left + column * (self.side + GAP), self._line_top(line), self.side, self.side)

    def _visible_lines(self, margin: int = 0, area: QRect | None = None) -> range:
        """The lines that are at least partly in an area of the viewport, by default in all of it."""
        pitch = self.row_height if self.sequence is None else self.side + GAP
        area = area or self.viewport().rect()
        first = (self.verticalScrollBar().value() + area.top() - TOP) // pitch
        count = area.height() // pitch + 2
        return range(max(first - margin, 0), max(min(first + count + margin, self._line_count), 0))

    @property
    def _line_count(self) -> int:
        sequence = self.sequence
        return len(self._kinds) if sequence is None else -(-len(sequence) // self.columns)

    def _line(self, number: int) -> list[int]:
        """The row numbers of the images of a line."""
        sequence, columns = self.sequence, self.columns
        if sequence is None:
            return list(map(int, self._rows[self._kinds[number]][:columns]))
        return list(map(int, sequence[number * columns : (number + 1) * columns]))

    def visible_images(self, area: QRect | None = None) -> list[tuple[QRect, int]]:
        """Place and row number of every image that is at least partly visible, in an area of the viewport."""
        left = LEFT if self.sequence is not None else LEFT + NAMES
        pitch, found = self.side + GAP, list[tuple[QRect, int]]()
        for line in self._visible_lines(area=area):
            # Once for a line: there are hundreds of images, and each is painted 60 times a second.
            top = self._line_top(line)
            found += [
                (QRect(left + column * pitch, top, self.side, self.side), row)
                for column, row in enumerate(self._line(line))
            ]
        return found

    def _wanted(self) -> list[int]:
        """The row numbers of what is visible and then of what is next to it."""
        visible, near = self._visible_lines(), self._visible_lines(_MARGIN_ROWS)
        lines = [*visible, *(line for line in near if line not in visible)]
        return [row for line in lines for row in self._line(line)]

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._layout()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.tiles.close()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self.split is None:
            return
        position = event.position().toPoint()
        kind = self._class_at(position)
        if kind is not None:
            self.show_class(kind)
            return
        row = self._row_at(position)
        if row is not None:
            self.choose(row)
            self.chosen.emit(row)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        row = self._row_at(event.position().toPoint())
        if row is not None:
            self.activated.emit(row)

    def _row_at(self, position: QPoint) -> int | None:
        return next((row for rect, row in self.visible_images() if rect.contains(position)), None)

    def _class_at(self, position: QPoint) -> int | None:
        """The class whose name is at this place."""
        if self.sequence is not None or not LEFT <= position.x() < LEFT + NAMES - GAP:
            return None
        line = (position.y() - self._line_top(0)) // self.row_height
        return self._kinds[line] if 0 <= line < len(self._kinds) else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        is_name = self._class_at(event.position().toPoint()) is not None
        self.viewport().setCursor(
            Qt.CursorShape.PointingHandCursor if is_name else Qt.CursorShape.ArrowCursor
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = arrow_step(event)
        if not is_plain(event):
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Escape:
            if self.alone is not None:
                self.show_class(None)
            else:
                self.left.emit()
        elif is_enter(event) and self.current is not None:
            self._open(self.current)
        elif step is not None and self._line_count:
            self._move(*step)
        else:
            super().keyPressEvent(event)

    def _open(self, row: int) -> None:
        kind = next((n for n, rows in enumerate(self._rows) if row in rows), None)
        if self.sequence is None and kind is not None:
            self.show_class(kind)
        else:
            self.activated.emit(row)

    def _position(self, row: int) -> tuple[int, int] | None:
        """Line and column of an image; None if it is not shown."""
        sequence = self.sequence
        if sequence is not None:
            found = np.flatnonzero(sequence == row)
            return divmod(int(found[0]), self.columns) if len(found) else None
        for line, kind in enumerate(self._kinds):
            found = np.flatnonzero(self._rows[kind][: self.columns] == row)
            if len(found):
                return line, int(found[0])
        return None

    def _move(self, down: int, across: int) -> None:
        place = None if self.current is None else self._position(self.current)
        line, column = (0, 0) if place is None else (place[0] + down, place[1] + across)
        if self.sequence is not None:
            line, column = divmod(line * self.columns + column, self.columns)
        images = self._line(line) if 0 <= line < self._line_count else []
        if 0 <= column < len(images):
            self.choose(images[column])
            self.chosen.emit(images[column])

    def choose(self, row: int | None) -> None:
        """Frames an image and scrolls to it, without emitting `chosen`."""
        self.current = row
        place = None if row is None else self._position(row)
        if row is not None and place is not None:
            rect, bar = self._image_rect(*place), self.verticalScrollBar()
            if rect.top() < 0:
                bar.setValue(bar.value() + rect.top() - TOP)
            elif rect.bottom() > self.viewport().height():
                bar.setValue(bar.value() + rect.bottom() - self.viewport().height() + TOP)
            self._describe(row, place)
        self.viewport().update()

    def _describe(self, row: int, place: tuple[int, int]) -> None:
        kind = next(n for n, rows in enumerate(self._rows) if row in rows)
        number = place[1] + 1 if self.sequence is None else place[0] * self.columns + place[1] + 1
        self.setAccessibleDescription(f"{plain_line(self.classes[kind])}, image {number}")

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        paint(self, event.rect())
        if self.split is not None:
            self.tiles.want(self._wanted())

    def sizeHint(self) -> QSize:
        return QSize(600, 480)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        # Moves what is painted, so that only what comes into view has to be painted.
        is_framed = self.hasFocus() and self.current is None
        if self.split is not None and not is_framed:
            self.viewport().scroll(0, dy)
        else:
            self.viewport().update()

    def _on_theme_changed(self, _: object) -> None:
        self.viewport().update()
