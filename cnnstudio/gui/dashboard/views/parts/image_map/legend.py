"""The groups of a map with their colors; each can be hidden."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from cnnstudio.gui.dashboard.views.parts.image_map.groups import Groups, Style
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.qimage import color_image
from cnnstudio.insight.scatter import paint_points

_SWATCH = 16
_MAX_NAME = 60
_MEASURED, _WIDEST = 200, 240
"""Of so many names the longest decides how wide columns are, up to so many pixels: longer ones are elided."""
_HINT = "Click to show or hide; double-click to show only this one"


class GroupLegend(QListWidget):
    """A click or Space hides a group or shows it again; a double-click or Enter shows only that one."""

    changed = Signal(object)
    """The numbers of the hidden groups, a frozenset."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("mapLegend")
        self.setAccessibleName("Groups on the map")
        self.setProperty("role", "lines")
        self.setFont(theme().font("help"))
        self.setUniformItemSizes(True)
        self.setIconSize(QSize(_SWATCH, _SWATCH))
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.hidden = frozenset[int]()
        self._sizes = _OneSize(self)
        self.setItemDelegate(self._sizes)
        self._groups: Groups | None = None
        self._listed: tuple[int, ...] = ()
        self.itemClicked.connect(lambda item: self._toggle(self._number(item)))
        self.itemDoubleClicked.connect(lambda item: self._isolate(self._number(item)))
        theme().changed.connect(self._show_items)

    def show_in_columns(self, in_columns: bool) -> None:
        """Lists the groups in rows of as many as fit, or in a single column. Either scrolls down only."""
        self.setWrapping(in_columns)
        self.setFlow(QListWidget.Flow.LeftToRight if in_columns else QListWidget.Flow.TopToBottom)
        self.setResizeMode(QListWidget.ResizeMode.Adjust if in_columns else QListWidget.ResizeMode.Fixed)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Columns of one width, as wide as the longest name."""
        size = None
        if self.isWrapping() and self.count():
            options = QStyleOptionViewItem()
            self.initViewItemOption(options)
            self._sizes.size = None
            hints = [
                self._sizes.sizeHint(options, self.indexFromItem(self.item(row)))
                for row in range(min(self.count(), _MEASURED))
            ]
            widest = min(max(each.width() for each in hints), _WIDEST)
            # The list lays out its rows as if the scroll bar were there, and ends them before its last pixel.
            bar = self.verticalScrollBar()
            extent = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent, None, bar)
            room = self.maximumViewportSize().width() - extent - 1
            columns = max(room // max(widest, 1), 1)
            size = QSize(room // columns, hints[0].height())
        self._sizes.size = size
        self.scheduleDelayedItemsLayout()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def show_groups(self, groups: Groups) -> None:
        """Shows the groups that have points; hidden ones stay so while the groups are of the same kind."""
        before = self._groups
        if before is None or (before.kind, before.names) != (groups.kind, groups.names):
            self.hidden = frozenset()
        elif np.array_equal(before.counts, groups.counts):
            self._groups = groups
            return
        self._groups = groups
        self._show_items()

    def show_all(self) -> None:
        """Hides nothing."""
        self._hide_groups(frozenset())

    def _show_items(self, *_: object) -> None:
        groups = self._groups
        if groups is None:
            return
        listed = tuple(np.flatnonzero(groups.counts).tolist())
        if listed != self._listed or self.count() != len(listed):
            self.clear()
            self._listed = listed
            for _number in listed:
                self.addItem(QListWidgetItem())
        icons = dict[tuple[Style, bool], QIcon]()
        styles = groups.styles()
        for row, number in enumerate(listed):
            item, is_hidden = self.item(row), number in self.hidden
            name, count = plain_line(groups.names[number], _MAX_NAME), int(groups.counts[number])
            key = styles[number], is_hidden
            if key not in icons:
                icons[key] = _swatch(styles[number], is_hidden)
            item.setIcon(icons[key])
            item.setText(f"{name} · {count:,}")
            item.setToolTip(plain_tooltip(f"{name}: {count:,}. {_HINT}"))
            item.setForeground(theme().color("secondary" if is_hidden else "text"))
            state = "hidden" if is_hidden else "shown"
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{name}: {count:,}, {state}")
        self._fit_columns()

    def _number(self, item: QListWidgetItem) -> int:
        return self._listed[self.row(item)]

    def _toggle(self, number: int) -> None:
        self._hide_groups(self.hidden ^ {number})

    def _isolate(self, number: int) -> None:
        """Shows only one group; all again if it is the only one."""
        others = frozenset(self._listed) - {number}
        self._hide_groups(frozenset() if self.hidden == others else others)

    def _hide_groups(self, hidden: frozenset[int]) -> None:
        if hidden != self.hidden:
            self.hidden = hidden
            self._show_items()
            self.changed.emit(hidden)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        item = self.currentItem()
        if event.key() == Qt.Key.Key_Space and self.currentRow() >= 0:
            self._toggle(self._number(item))
        elif is_enter(event) and self.currentRow() >= 0:
            self._isolate(self._number(item))
        else:
            super().keyPressEvent(event)


class _OneSize(QStyledItemDelegate):
    """Items of `size`, or of their own where it is None."""

    size: QSize | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return self.size or super().sizeHint(option, index)


def _swatch(style: Style, is_hidden: bool) -> QIcon:
    """The color and shape of a group; of a hidden one nothing but a faint dot."""
    ratio = 2
    ground, middle = theme().color("panel").rgb(), _SWATCH * ratio / 2
    pixels = np.full((_SWATCH * ratio, _SWATCH * ratio), ground, np.uint32)
    color, radius = (theme().color("border").rgb() & 0xFFFFFF, 2.0) if is_hidden else (style[0], 4.5)
    shape = "circle" if is_hidden else style[1]
    paint_points(
        pixels, np.array([[middle, middle]]), np.zeros(1, np.intp), [(color, shape)], radius * ratio, ground
    )
    image = color_image(pixels)
    image.setDevicePixelRatio(ratio)
    return QIcon(QPixmap.fromImage(image))
