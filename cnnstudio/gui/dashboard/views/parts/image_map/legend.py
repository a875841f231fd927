"""The groups of a map with their colors; each can be hidden."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from cnnstudio.gui.dashboard.views.parts.image_map.groups import Groups, Style
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.qimage import color_image
from cnnstudio.insight.scatter import paint_points

_SWATCH = 16
_MAX_NAME = 60
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
        self._groups: Groups | None = None
        self._listed: tuple[int, ...] = ()
        self.itemClicked.connect(lambda item: self._toggle(self._number(item)))
        self.itemDoubleClicked.connect(lambda item: self._isolate(self._number(item)))
        theme().changed.connect(self._show_items)

    def show_in_columns(self, in_columns: bool) -> None:
        """Lists the groups in columns below each other, as many as there are, or in a single one."""
        self.setWrapping(in_columns)
        # Else the first one decides how wide the columns are.
        self.setUniformItemSizes(not in_columns)
        self.setResizeMode(QListWidget.ResizeMode.Adjust if in_columns else QListWidget.ResizeMode.Fixed)
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self.setHorizontalScrollBarPolicy(policy if in_columns else Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

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
