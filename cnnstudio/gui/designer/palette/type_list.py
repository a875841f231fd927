"""The palette's list: families as headings, layer types as rows that can be dragged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QEvent, QMimeData, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from cnnstudio.design.text.palette_search import search_layer_types
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.drag_pixmap import start_drag
from cnnstudio.gui.designer.layer_list.layer_model import Index
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.plain_text import plain_tooltip
from cnnstudio.layers.base import Family, Layer
from cnnstudio.layers.catalog import layer_type, layer_types, snake_case

TYPE_ROLE = Qt.ItemDataRole.UserRole
"""The name of the layer type; None for a heading."""

ROW_HEIGHT = 24
_ICON_LEFT = 12
_TEXT_LEFT = 34
_HELP_LEFT = 212
_MIN_WIDTH_FOR_HELP = 400


class TypeList(QListWidget):
    """All layer types of the catalog, under a heading for each family; families can be folded."""

    type_chosen = Signal(object)
    """The name of a type to add: it was double-clicked, or Enter was pressed on it."""
    text_typed = Signal(object)
    """Text that the user typed while the list had the focus."""
    type_hovered = Signal(object)
    """The name of the type under the mouse, else of the current type; None if there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("paletteList")
        self.setAccessibleName("Layer types")
        renew_delegate(self)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        # By whole rows: a half one would look like the end of the list.
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.is_rail = False
        self._headings: dict[Family, QListWidgetItem] = {}
        self._types: dict[str, QListWidgetItem] = {}
        self._text = ""
        self.folded: frozenset[Family] = frozenset()
        """The families whose types are shown only by a search."""
        for name, kind in layer_types().items():
            self._add(name, kind)
        self.itemDoubleClicked.connect(lambda _: self.choose_current())
        self.currentItemChanged.connect(lambda *_: self.type_hovered.emit(self.current_type()))
        self.itemEntered.connect(
            lambda item: self.type_hovered.emit(item.data(TYPE_ROLE) or self.current_type())
        )
        theme().changed.connect(self._on_theme_changed)

    def _add(self, name: str, kind: type[Layer]) -> None:
        if kind.family not in self._headings:
            heading = QListWidgetItem(kind.family.value, self)
            # Without flags it is disabled, and the arrow keys skip it.
            heading.setFlags(Qt.ItemFlag.NoItemFlags)
            self._headings[kind.family] = heading
        item = QListWidgetItem(name, self)
        item.setData(TYPE_ROLE, name)
        help_text = f"{kind.description} {kind.usage_hint}".strip()
        item.setToolTip(plain_tooltip(help_text))
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{name}, {kind.family.value}")
        item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, help_text)
        item.setFlags(
            Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled
        )
        self._types[name] = item

    def set_rail(self, is_rail: bool) -> None:
        """Shows only the icons of the types, without headings."""
        self.is_rail = is_rail
        self.filter(self._text)
        self.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOff if is_rail else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        )
        self._on_theme_changed(None)

    def set_folded(self, families: Iterable[Family]) -> None:
        """Hides the types of these families until they are searched for."""
        unfolded = self.folded - (folded := frozenset(families))
        self.folded = folded
        self.filter(self._text)
        for family in unfolded:
            last = [name for name, kind in layer_types().items() if kind.family is family][-1]
            self.scrollToItem(self._types[last])

    def current_type(self) -> str | None:
        """The name of the type that Enter would add."""
        item = self.currentItem()
        # The stubs of PySide6 claim that currentItem never returns None.
        return item.data(TYPE_ROLE) if item is not None and not item.isHidden() else None  # type: ignore[redundant-expr]

    def choose_current(self) -> None:
        """Emits `type_chosen` for the current type, if there is one."""
        name = self.current_type()
        if name:
            self.type_chosen.emit(name)

    def filter(self, text: str) -> int:
        """Shows only the types that match every word of `text`; returns how many there are.

        The best match becomes the current type, so that Enter adds it.
        """
        self._text = text
        found = search_layer_types(text)
        if not text.strip() and not self.is_rail:
            found = [kind for kind in found if kind.family not in self.folded]
        families = {kind.family for kind in found}
        names = {kind.type_name() for kind in found}
        for name, item in self._types.items():
            item.setHidden(name not in names)
        for family, heading in self._headings.items():
            heading.setHidden(self.is_rail or family not in families)
        if found and (text.strip() or self.current_type() is None):
            self.setCurrentItem(self._types[found[0].type_name()])
        return len(found)

    def mimeData(self, items: Sequence[QListWidgetItem]) -> QMimeData:
        names = [item.data(TYPE_ROLE) for item in items if item.data(TYPE_ROLE)]
        return commands.new_layer_mime([layer_type(name) for name in names])

    def startDrag(self, supported_actions: Qt.DropAction) -> None:
        name = self.current_type()
        if name is not None:
            kind = layer_type(name)
            start_drag(
                self, commands.new_layer_mime([kind]), [commands.new_node(kind)], Qt.DropAction.CopyAction
            )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if is_enter(event):
            self.choose_current()
        elif event.text().strip() and event.text().isprintable() and not _is_command(event):
            self.text_typed.emit(event.text())
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.type_hovered.emit(self.current_type())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setViewportMargins(0, 0, 0, self.height() % ROW_HEIGHT)

    def _on_theme_changed(self, _: object) -> None:
        renew_delegate(self)


def _is_command(event: QKeyEvent) -> bool:
    modifiers = event.modifiers()
    return bool(modifiers & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.MetaModifier))


def renew_delegate(widget: QListWidget) -> None:
    """Paints the types of a list with the fonts of the present theme."""
    before = widget.itemDelegate()
    widget.setItemDelegate(TypeDelegate(widget))
    if before is not None:
        before.deleteLater()


class TypeDelegate(QStyledItemDelegate):
    """Paints the headings, and the types with their icon and, if there is space, their description."""

    def __init__(self, parent: QListWidget) -> None:
        super().__init__(parent)
        self._content = text_metrics(theme().font("content"))
        self._small = text_metrics(theme().font("help"))
        self._head = text_metrics(theme().font("head"))

    @property
    def _is_rail(self) -> bool:
        widget = self.parent()
        return isinstance(widget, TypeList) and widget.is_rail

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        name, rect = index.data(TYPE_ROLE), option.rect
        if name is None:
            painter.setFont(self._head.font)
            painter.setPen(theme().color("secondary"))
            painter.drawText(_ICON_LEFT, self._head.baseline(rect.center().y() + 3), index.data())
            return
        self._paint_background(painter, rect, option)
        kind, widget = layer_type(name), self.parent()
        ratio = widget.devicePixelRatioF() if isinstance(widget, QListWidget) else 1.0
        icon = theme().pixmap(snake_case(name), family_token(kind.family), 17, ratio)
        middle = rect.top() + rect.height() / 2
        if self._is_rail:
            painter.drawPixmap(round(rect.left() + rect.width() / 2 - 8.5), round(middle - 8.5), icon)
            return
        painter.drawPixmap(_ICON_LEFT, round(middle - 8.5), icon)
        painter.setFont(self._content.font)
        painter.setPen(theme().color("text"))
        available = rect.width() - _TEXT_LEFT
        painter.drawText(_TEXT_LEFT, self._content.baseline(middle), self._content.elided(name, available))
        if rect.width() >= _MIN_WIDTH_FOR_HELP:
            painter.setFont(self._small.font)
            painter.setPen(theme().color("secondary"))
            help_text = self._small.elided(kind.description, rect.width() - _HELP_LEFT - 14)
            painter.drawText(_HELP_LEFT, self._small.baseline(middle), help_text)

    def _paint_background(self, painter: QPainter, rect: QRect, option: QStyleOptionViewItem) -> None:
        state, states = option.state, QStyle.StateFlag
        background = QRectF(rect).adjusted(6, 0.5, -6, -0.5)
        painter.setPen(Qt.PenStyle.NoPen)
        if state & states.State_Selected:
            painter.setBrush(theme().color("selection"))
            painter.drawRoundedRect(background, 5, 5)
        elif state & states.State_MouseOver:
            painter.setBrush(theme().color("grid"))
            painter.drawRoundedRect(background, 5, 5)
        if state & states.State_HasFocus and state & states.State_KeyboardFocusChange:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawRoundedRect(background.adjusted(1, 1, -1, -1), 5, 5)
