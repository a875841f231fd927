"""The plot area with its axes: mouse, keys, and what is painted over the curves."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QPushButton

from cnnstudio.gui.plots.drawing.axes import OVERHANG, Axis, Range
from cnnstudio.gui.plots.drawing.flags import HEIGHT as FLAG_HEIGHT
from cnnstudio.gui.plots.drawing.flags import Flag, flag_at, lay_out, paint_card, paint_flags
from cnnstudio.gui.plots.drawing.foreground import BOTTOM, Crosshair, Foreground
from cnnstudio.gui.runs.curves.marks import Mark
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import PIXELS, theme
from cnnstudio.gui.widgets.canvas.keys import zoom_factor

_LEFT = 40
_MIN_DRAG = 5
"""Pixels; less is a click."""
_MIN_DRAG_HEIGHT = 24
"""A drag that is flatter zooms into epochs only."""


class Plot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Curves with axes. It says what the user wants to see, and shows what it is told to."""

    hovered = Signal(object)
    """The epoch under the mouse, or None when it has left."""
    range_wanted = Signal(object, object)
    """The range of epochs, and that of the axis of values or None, that the user wants to see."""
    reset_wanted = Signal()
    menu_wanted = Signal(object)
    """The global position at which a menu is wanted."""

    def __init__(self, *, percent: bool, has_epochs: bool) -> None:
        self.value_axis, self.epoch_axis = Axis("left", percent=percent), Axis("bottom", whole=True)
        super().__init__(axisItems={"left": self.value_axis, "bottom": self.epoch_axis})
        self.hint = ""
        self.marks: tuple[Mark, ...] = ()
        self.has_flags = False
        """Whether the marks have flags here: only in the uppermost plot."""
        self.cursor_epoch: float | None = None
        self.crosshair: Crosshair | None = None
        self._has_epochs = has_epochs
        self._pressed: QPointF | None = None
        self._dragged: QPointF | None = None
        self._is_panning = False
        self._opened: Flag | None = None
        self._scene_image = QPixmap()
        self._is_stale = self._is_cached = True
        self._is_focus_visible = False
        self.setAntialiasing(False)
        self.setCacheMode(self.CacheModeFlag.CacheNone)
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(140, 70)
        # It paints its whole background, so that Qt need not paint all panels below it first.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        box = self.getViewBox()
        box.setDefaultPadding(0)
        box.disableAutoRange()
        self.reset_button = self._make_button()
        self.scene().changed.connect(self.mark_stale)
        self.restyle()

    def _make_button(self) -> QPushButton:
        """The button that ends a zoom."""
        button = QPushButton("Reset zoom", self.viewport())
        button.setProperty("role", "small")
        button.setToolTip("Show the whole run again (double-click, or 0)")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(self.reset_wanted)
        button.hide()
        return button

    def sizeHint(self) -> QSize:
        return QSize(330, 180)

    def set_cached(self, cached: bool) -> None:
        """Whether axes and curves are painted from an image: not into a file of drawing commands."""
        self._is_cached = cached

    def show_epochs(self, shown: bool) -> None:
        """Whether the axis of epochs has numbers: those of the lowest plot count for all."""
        if shown != self._has_epochs:
            self._has_epochs = shown
            self.restyle()

    def show_flags(self, shown: bool) -> None:
        """Whether the marks have flags, for which there is room above the plot."""
        if shown != self.has_flags:
            self.has_flags = shown
            self.restyle()

    def restyle(self) -> None:
        """Takes the theme's colors."""
        style = theme()
        self._metrics = text_metrics(style.font("axis"))
        self.setBackground(style.color("panel"))
        small = QFont(style.font("help"))
        small.setPixelSize(PIXELS["head"])
        for axis in (self.value_axis, self.epoch_axis):
            # Below the curves, because the axis draws the grid lines.
            axis.setZValue(-1)
            axis.setStyle(tickFont=small)
            axis.setTextPen(style.color("secondary"))
            axis.setPen(QPen(Qt.PenStyle.NoPen))
            axis.setTickPen(pg.mkPen(style.color("grid")))
        self.value_axis.setGrid(255)
        self.value_axis.setWidth(_LEFT)
        self.epoch_axis.setStyle(showValues=self._has_epochs)
        self.epoch_axis.setHeight(BOTTOM if self._has_epochs else 6)
        top = FLAG_HEIGHT + 4 if self.has_flags else 7
        self.getPlotItem().layout.setContentsMargins(0, top, OVERHANG, 0)
        self.reset_button.setFont(small)
        self.mark_stale()

    # Places

    def plot_area(self) -> QRectF:
        """The area between the axes, in the viewport's pixels."""
        # Not mapFromScene, whose whole pixels make it larger by one, so that flags would stand beside dots.
        return QRectF(self.viewportTransform().mapRect(self.getViewBox().sceneBoundingRect()))

    @property
    def x_range(self) -> Range:
        low, high = self.getViewBox().viewRange()[0]
        return float(low), float(high)

    @property
    def y_range(self) -> Range:
        low, high = self.getViewBox().viewRange()[1]
        return float(low), float(high)

    def x_of(self, epoch: float) -> float:
        """The pixel at which an epoch is."""
        area, (low, high) = self.plot_area(), self.x_range
        return area.left() + (epoch - low) / (high - low) * area.width()

    def y_of(self, value: float) -> float:
        """The pixel at which a value of the axis is."""
        area, (low, high) = self.plot_area(), self.y_range
        return area.bottom() - (value - low) / (high - low) * area.height()

    def epoch_at(self, position: QPointF) -> float:
        area, (low, high) = self.plot_area(), self.x_range
        return low + (position.x() - area.left()) / max(area.width(), 1) * (high - low)

    def value_at(self, position: QPointF) -> float:
        area, (low, high) = self.plot_area(), self.y_range
        return low + (area.bottom() - position.y()) / max(area.height(), 1) * (high - low)

    @property
    def flags(self) -> list[Flag]:
        """The flags of the marks that are inside the visible range."""
        cursor = None if self.cursor_epoch is None else self.x_of(self.cursor_epoch)
        return lay_out(self.marks, self.x_of, self.plot_area(), cursor, self._metrics)

    def show_reset(self, shown: bool) -> None:
        """Shows or hides the button that leads back from a zoom."""
        self.reset_button.setVisible(shown)
        if shown:
            self._place_button()

    def _place_button(self) -> None:
        self.reset_button.adjustSize()
        corner = self.plot_area().topRight().toPoint()
        self.reset_button.move(corner.x() - self.reset_button.width() - 4, corner.y() + 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # pyqtgraph's constructor already resizes it.
        if hasattr(self, "reset_button"):
            self._place_button()
            self.mark_stale()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._is_cached:
            # Axes and curves are painted into an image when they change, not whenever the mouse moves.
            if self._is_stale:
                self._scene_image = self._painted_scene()
                self._is_stale = False
        else:
            super().paintEvent(event)
        painter = QPainter(self.viewport())
        if self._is_cached:
            painter.drawPixmap(0, 0, self._scene_image)
        self.paint_over(painter)
        painter.end()

    def _painted_scene(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        image = QPixmap(self.viewport().size() * ratio)
        image.setDevicePixelRatio(ratio)
        image.fill(theme().color("panel"))
        self.scene().prepareForPaint()
        with QPainter(image) as painter:
            self.render(painter, QRectF(self.viewport().rect()), self.viewport().rect())
        return image

    def mark_stale(self, *_: object) -> None:
        """Axes or curves have changed."""
        self._is_stale = True
        self.viewport().update()

    def paint_over(self, painter: QPainter) -> None:
        """Paints what lies over the curves."""
        area = self.plot_area()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        foreground = Foreground(painter, area, self.x_of, self.y_of, self._metrics)
        paint_flags(painter, self.flags, area, self._metrics, with_boxes=self.has_flags)
        if self.cursor_epoch is not None:
            foreground.paint_line(self.cursor_epoch, "accent", 1.5)
        if self._has_epochs:
            foreground.paint_axis_title()
        if self.crosshair is not None:
            foreground.paint_crosshair(self.crosshair, with_place=self._has_epochs)
        if self.hint:
            foreground.paint_hint(self.hint)
        box = self._drag_box(area)
        if box is not None:
            foreground.paint_drag(box)
        if self.hasFocus() and self._is_focus_visible:
            foreground.paint_focus()
        if self._opened is not None:
            paint_card(painter, self._opened, area, self._metrics)

    def _drag_box(self, area: QRectF) -> QRectF | None:
        """What is being marked with the mouse; of full height unless the drag has some height."""
        if self._pressed is None or self._dragged is None or self._is_panning:
            return None
        box = QRectF(self._pressed, self._dragged).normalized() & area
        if abs(self._dragged.x() - self._pressed.x()) < _MIN_DRAG:
            return None
        if abs(self._dragged.y() - self._pressed.y()) < _MIN_DRAG_HEIGHT:
            box.setTop(area.top())
            box.setBottom(area.bottom())
        return box

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._is_focus_visible = False
        buttons = (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton)
        if event.button() in buttons and not self.hint and self.plot_area().contains(event.position()):
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._is_panning = shift or event.button() == Qt.MouseButton.MiddleButton
            self._pressed, self._dragged = event.position(), None
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        if self._pressed is not None:
            if self._is_panning:
                self._pan(self.epoch_at(self._dragged or self._pressed) - self.epoch_at(position))
            self._dragged = position
            self.viewport().update()
        flag = flag_at(self.flags, position) if self.has_flags and self.marks else None
        if flag != self._opened:
            self._opened = flag
            self.viewport().update()
        inside = self.plot_area().contains(position) and not self.hint
        self.hovered.emit(self.epoch_at(position) if inside else None)
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        area = self.plot_area()
        box = self._drag_box(area)
        self._end_drag()
        if box is not None and box.width() >= 1:
            epochs = self.epoch_at(box.topLeft()), self.epoch_at(box.bottomRight())
            is_tall = box.height() < area.height() - 1
            values = (self.value_at(box.bottomLeft()), self.value_at(box.topRight())) if is_tall else None
            self.range_wanted.emit(epochs, values)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._end_drag()
        self.reset_wanted.emit()

    def _end_drag(self) -> None:
        self._pressed = self._dragged = None
        self._is_panning = False
        self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._opened = None
        self.hovered.emit(None)
        self.viewport().update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        delta, modifiers = event.angleDelta(), event.modifiers()
        if self.hint or not self.plot_area().contains(event.position()):
            return
        notches, factor = (delta.y() or delta.x()) / 120, zoom_factor(event) or 1.0
        if not delta.y() or modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._pan(-notches * 0.1 * (self.x_range[1] - self.x_range[0]))
        elif modifiers & Qt.KeyboardModifier.ControlModifier:
            values = _scaled(self.y_range, self.value_at(event.position()), 1 / factor)
            self.range_wanted.emit(self.x_range, values)
        else:
            self._zoom(self.epoch_at(event.position()), 1 / factor)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())
        event.accept()

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, low, high = event.key(), *self.x_range
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        middle = self.crosshair.x if self.crosshair is not None else (low + high) / 2
        factor = zoom_factor(event)
        if factor is not None:
            self._zoom(middle, 1 / factor)
        elif shift and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._pan((high - low) * (0.1 if key == Qt.Key.Key_Right else -0.1))
        elif key == Qt.Key.Key_Escape and self._pressed is not None:
            self._end_drag()
        elif key == Qt.Key.Key_0 or (key == Qt.Key.Key_Escape and self.reset_button.isVisible()):
            self.reset_wanted.emit()
        else:
            # Not to the scroll area, which would take the arrows that move through the epochs.
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        reasons = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._is_focus_visible = event.reason() in (*reasons, Qt.FocusReason.ShortcutFocusReason)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def _zoom(self, middle: float, factor: float) -> None:
        if not self.hint:
            self.range_wanted.emit(_scaled(self.x_range, middle, factor), None)

    def _pan(self, epochs: float) -> None:
        low, high = self.x_range
        self.range_wanted.emit((low + epochs, high + epochs), None)


def _scaled(span: Range, middle: float, factor: float) -> Range:
    low, high = span
    middle = min(max(middle, low), high)
    return middle - (middle - low) * factor, middle + (high - middle) * factor
