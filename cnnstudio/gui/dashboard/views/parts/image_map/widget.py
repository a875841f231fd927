"""A map of images as points, to zoom and move in and to choose images from, by mouse or keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEasingCurve, QEvent, QPointF, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import (
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy

from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.data.dataset import Pixels
from cnnstudio.gui.dashboard.views.parts.image_map.gestures import Gesture, Mode, Tool, mode_of
from cnnstudio.gui.dashboard.views.parts.image_map.groups import Groups
from cnnstudio.gui.dashboard.views.parts.image_map.painter import RADIUS, THUMBNAIL, MapPainter
from cnnstudio.gui.dashboard.views.parts.image_map.picking import (
    Mask,
    Places,
    nearest,
    next_in_direction,
    within,
)
from cnnstudio.gui.dashboard.views.parts.image_map.viewport import MapViewport
from cnnstudio.gui.theme.motion import MOVE_MS, animations_enabled
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.canvas import Canvas
from cnnstudio.gui.widgets.canvas.keys import arrow_step, is_enter, zoom_factor
from cnnstudio.gui.widgets.canvas.marks import paint_focus

_REACH = 12.0
"""Pixels from a point within which the mouse means it."""
_NO_GROUPS = Groups("class", (), np.zeros(0, np.intp))

Describe = Callable[[int], Sequence[str]]


class ImageMap(Canvas):
    """Draw around points to choose them; Shift adds, Ctrl or Alt removes. The wheel zooms.

    Arrow keys go to the next point in that direction, Space chooses it or not, Ctrl+A chooses all that are
    visible, Enter opens what is chosen, Escape chooses none, then leaves.
    """

    chosen = Signal(object)
    """The rows of the points that the user chose, a tuple."""
    current_changed = Signal(object)
    """The row of the point that the mouse or the keys are at, -1 for none."""
    entered = Signal()
    """Enter was pressed, or a point double-clicked: what is chosen is to be opened."""
    left = Signal()
    """Escape was pressed while nothing is chosen."""
    zoom_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("imageMap")
        self.setAccessibleName("Map of images")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.tool: Tool = "lasso"
        self.current = -1
        self._hovered = -1
        self._viewport, self._painter = MapViewport(), MapPainter()
        self._numbers: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._points = self._from = self._drawn = np.zeros((0, 2), np.float32)
        self._groups, self._hidden = _NO_GROUPS, frozenset[int]()
        self._visible: Mask = np.zeros(0, bool)
        self._chosen: Mask = np.zeros(0, bool)
        self._describe: Describe = lambda row: ()
        self._gesture: Gesture | None = None
        self._image: QImage | None = None
        self._places: Places = np.zeros((0, 2))
        self._animation = QVariantAnimation(self)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setDuration(MOVE_MS)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._on_step)
        theme().changed.connect(self._repaint)

    # What is shown

    @property
    def count(self) -> int:
        """The number of points."""
        return len(self._points)

    @property
    def is_moving(self) -> bool:
        """Whether points are on their way to their new places."""
        return self._animation.state() == QVariantAnimation.State.Running

    @property
    def zoom(self) -> float:
        """1 if the whole map is seen, more if it is zoomed in."""
        return self._viewport.zoom

    @property
    def chosen_rows(self) -> tuple[int, ...]:
        """The rows of the chosen points, ascending."""
        return tuple(np.flatnonzero(self._chosen).tolist())

    def forget(self) -> None:
        """Another run is shown: nothing of its points is known yet."""
        self._animation.stop()
        self._viewport.forget()
        self._numbers = np.zeros(0, np.int64)
        self.zoom_changed.emit()

    def show_points(
        self,
        numbers: npt.NDArray[np.int64],
        points: npt.NDArray[np.float32],
        thumbnails: Pixels,
        describe: Describe,
    ) -> None:
        """Shows images by number; those that were shown before move to their new places.

        `describe` gives the lines of a card about the image in a row. Call `show_groups` after it.
        """
        same = np.array_equal(numbers, self._numbers)
        self._animation.stop()
        self._from = self._drawn if same else points
        self._numbers, self._points, self._describe = numbers, points, describe
        self._painter.show_images(thumbnails)
        self._viewport.include(points)
        if not same:
            self._chosen = np.zeros(len(points), bool)
            self._gesture = None
            # The point under the mouse may not exist any more.
            self._hovered = -1
            self._set_current(-1)
        if same and self.isVisible() and animations_enabled() and not np.array_equal(self._from, points):
            self._animation.start()
        else:
            self._place(points)

    def show_groups(self, groups: Groups, hidden: frozenset[int] = frozenset()) -> None:
        """Colors the points by group; those of hidden groups are neither seen nor chosen."""
        self._groups, self._hidden = groups, hidden
        self._visible = ~np.isin(groups.members, tuple(hidden))
        if self._hovered >= 0 and not self._visible[self._hovered]:
            self._hovered = -1
        if self.current >= 0 and not self._visible[self.current]:
            self._set_current(-1)
        self._repaint()

    def choose(self, rows: Mask) -> None:
        """Marks points, bool (N,), without telling anybody."""
        if not np.array_equal(rows, self._chosen):
            self._chosen = rows
            self._repaint()

    def place_of(self, row: int) -> QPointF:
        """Where a point is, for a click."""
        return QPointF(*self._places[row])

    def _on_step(self, share: float) -> None:
        way = self._points - self._from
        self._place(self._points if share >= 1 else self._from + np.float32(share) * way)

    def _place(self, points: npt.NDArray[np.float32]) -> None:
        self._drawn = points
        self._repaint()

    def _repaint(self, *_: object) -> None:
        self._places = self._viewport.to_pixels(self._drawn)
        self._image = None
        self.update()

    # Choosing

    def _change(self, rows: Mask, mode: Mode) -> None:
        rows = rows & self._visible
        if mode == "add":
            rows = self._chosen | rows
        elif mode == "remove":
            rows = self._chosen & ~rows
        self.choose(rows)
        self.chosen.emit(self.chosen_rows)

    def _only(self, row: int) -> Mask:
        rows: Mask = np.arange(self.count) == row
        return rows

    def _set_current(self, row: int) -> None:
        if row != self.current:
            self.current = row
            text = ", ".join(self._describe(row)) if row >= 0 else ""
            self.setAccessibleDescription(screen_reader_text(text))
            self.current_changed.emit(row)
            self.update()

    def _row_at(self, point: QPointF) -> int:
        reach = THUMBNAIL / 2 if self._shows_thumbnails else _REACH
        return nearest(self._places, point.x(), point.y(), self._visible, reach)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._gesture = Gesture(self.tool, event.position())
        elif event.button() == Qt.MouseButton.MiddleButton:
            self._gesture = Gesture("move", event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        gesture = self._gesture
        if gesture is None:
            self._hover(self._row_at(event.position()))
            return
        moved = gesture.move_to(event.position())
        if not gesture.is_drag:
            return
        self._hover(-1)
        if gesture.tool == "move":
            self._viewport.move(moved.x(), moved.y())
            self._repaint()
        else:
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        gesture, self._gesture = self._gesture, None
        if gesture is None:
            return
        gesture.move_to(event.position())
        mode = mode_of(event.modifiers())
        if gesture.is_drag and gesture.tool != "move":
            self._change(within(gesture.path, self._places), mode)
        elif not gesture.is_drag and event.button() == Qt.MouseButton.LeftButton:
            row = self._row_at(event.position())
            self._set_current(row)
            if row >= 0 or mode == "replace":
                self._change(self._only(row), mode)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._row_at(event.position()) >= 0:
            self.entered.emit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row != self._hovered:
            self._hovered = row
            self.current_changed.emit(row if row >= 0 else self.current)
            self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._zoom_by(zoom_factor(event) or 1.0, event.position())
        event.accept()

    # Keys

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and _is_all(event):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, factor, step = event.key(), zoom_factor(event), arrow_step(event)
        held = event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier)
        if not self.count:
            super().keyPressEvent(event)
        elif step is not None and not held:
            self._step(*step)
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self.current >= 0:
                self._change(self._only(self.current), "add")
        elif key == Qt.Key.Key_Space and not held and self.current >= 0:
            self._change(self._only(self.current), "remove" if self._chosen[self.current] else "add")
        elif _is_all(event):
            self._change(np.ones(self.count, bool), "replace")
        elif is_enter(event) and not held:
            self._enter()
        elif key == Qt.Key.Key_Escape:
            self._escape()
        elif not held and event.text() == "0":
            self.reset_zoom()
        elif not held and factor is not None:
            around = self.place_of(self.current) if self.current >= 0 else QPointF(self.rect().center())
            self._zoom_by(factor, around)
        else:
            super().keyPressEvent(event)

    def _step(self, down: int, across: int) -> None:
        if self.current < 0:
            middle = self.rect().center()
            row = nearest(self._places, middle.x(), middle.y(), self._visible, float("inf"))
        else:
            row = next_in_direction(self._places, self.current, across, down, self._visible)
        if row >= 0:
            self._hovered = -1
            if self._viewport.show_point(self._points[row]):
                self._repaint()
            self._set_current(row)

    def _enter(self) -> None:
        if not self._chosen.any() and self.current >= 0:
            self._change(self._only(self.current), "replace")
        if self._chosen.any():
            self.entered.emit()

    def _escape(self) -> None:
        if self._gesture is not None:
            self._gesture = None
            self.update()
        elif self._chosen.any():
            self._change(np.zeros(self.count, bool), "replace")
        elif self.current >= 0:
            self._set_current(-1)
        elif self.zoom > 1:
            self.reset_zoom()
        else:
            self.left.emit()

    # Zoom

    def _zoom_by(self, factor: float, around: QPointF) -> None:
        self._viewport.zoom_by(factor, around)
        self._repaint()
        self.zoom_changed.emit()

    def reset_zoom(self) -> None:
        """Shows the whole map."""
        self._viewport.reset()
        self._repaint()
        self.zoom_changed.emit()

    # Painting

    def sizeHint(self) -> QSize:
        return QSize(420, 420)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 140)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._viewport.resize(self.width(), self.height())
        self._repaint()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._gesture = None
        if self.is_moving:
            self._animation.stop()
            self._place(self._points)

    @property
    def _seen(self) -> npt.NDArray[np.intp]:
        """The rows of the points that are within the widget."""
        inside = (self._places >= 0).all(1) & (self._places <= (self.width(), self.height())).all(1)
        return np.flatnonzero(inside & self._visible)

    @property
    def _shows_thumbnails(self) -> bool:
        return (
            self.zoom > 1
            and not self.is_moving
            and self._painter.has_room(len(self._seen), self.width(), self.height())
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter)
            if self.hasFocus() and self.current < 0:
                paint_focus(painter, self.rect().toRectF().adjusted(2, 2, -2, -2))
        finally:
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        size, ratio = (self.width(), self.height()), self.devicePixelRatioF()
        if self._image is None or self._image.devicePixelRatio() != ratio:
            self._image = self._painter.points(
                size, ratio, self._places, self._visible, self._chosen, self._groups
            )
        painter.drawImage(0, 0, self._image)
        radius = RADIUS + 3
        if self._shows_thumbnails:
            styles = self._groups.styles()
            self._painter.paint_thumbnails(
                painter, self._seen, self._places, self._chosen, self._groups, styles
            )
            radius = THUMBNAIL * 0.72
        if self._gesture is not None and len(self._gesture.path):
            self._painter.paint_path(painter, self._gesture.path)
        marked = self._hovered if self._hovered >= 0 else self.current if self.hasFocus() else -1
        if marked >= 0:
            self._painter.paint_ring(painter, self._places[marked], radius)
            self._painter.paint_card(painter, marked, self._places[marked], self._describe(marked), size)


def _is_all(event: QKeyEvent) -> bool:
    return event.key() == Qt.Key.Key_A and event.modifiers() == Qt.KeyboardModifier.ControlModifier
