"""The cards of the gallery, each painted for one template, with a diagram of its network."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.design.templates import Template
from cnnstudio.gui.templates.facts import TemplateFacts
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme

CARD = QSize(300, 190)
IMAGE = QSize(264, 92)

_NAME_ROLE = Qt.ItemDataRole.UserRole
_FACTS_ROLE = Qt.ItemDataRole.UserRole + 1
_IMAGE_ROLE = Qt.ItemDataRole.UserRole + 2


class Cards(QListWidget):
    """All templates, row by row. Arrow keys select a card, Enter or a double click chooses it."""

    current_changed = Signal(object)
    """The name of the template whose card is selected."""
    chosen = Signal(object)
    """The name of the template to open."""

    def __init__(self, templates: list[Template]) -> None:
        super().__init__()
        self.setObjectName("templateCards")
        self.setAccessibleName("Templates")
        self.setItemDelegate(_Delegate(self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._cards: dict[str, QListWidgetItem] = {}
        for template in templates:
            card = QListWidgetItem(template.title, self)
            card.setData(_NAME_ROLE, template.name)
            card.setData(Qt.ItemDataRole.AccessibleDescriptionRole, template.description)
            self._cards[template.name] = card
        self.currentItemChanged.connect(self._on_current_changed)
        self.itemActivated.connect(lambda item: self.chosen.emit(item.data(_NAME_ROLE)))
        theme().changed.connect(self._on_theme_changed)

    def minimumSizeHint(self) -> QSize:
        # A card is whole also in the smallest window.
        beside = self.verticalScrollBar().sizeHint().width() + 2 * self.frameWidth()
        return QSize(CARD.width() + beside, super().minimumSizeHint().height())

    @property
    def current_name(self) -> str:
        """The name of the template whose card is selected."""
        return str(self.currentItem().data(_NAME_ROLE))

    def show_facts(self, name: str, facts: TemplateFacts) -> None:
        """Shows the numbers on a card."""
        card = self._cards[name]
        card.setData(_FACTS_ROLE, facts)
        text = f"{card.text()}, {facts.cost}, {facts.result}"
        card.setData(Qt.ItemDataRole.AccessibleTextRole, screen_reader_text(text))

    def show_image(self, name: str, image: QPixmap) -> None:
        """Shows the diagram on a card."""
        self._cards[name].setData(_IMAGE_ROLE, image)

    def _on_current_changed(self, card: QListWidgetItem | None, _: object) -> None:
        if card is not None:
            self.current_changed.emit(card.data(_NAME_ROLE))

    def _on_theme_changed(self, _: object) -> None:
        self.itemDelegate().deleteLater()
        self.setItemDelegate(_Delegate(self))


class _Delegate(QStyledItemDelegate):
    def __init__(self, parent: Cards) -> None:
        super().__init__(parent)
        self._strong = TextMetrics(theme().font("strong"))
        self._small = TextMetrics(theme().font("help"))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return CARD

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        card = option.rect.adjusted(6, 6, -6, -6)
        self._paint_background(painter, card, option)
        image = index.data(_IMAGE_ROLE)
        if image is not None:
            painter.drawPixmap(card.left() + (card.width() - IMAGE.width()) // 2, card.top() + 10, image)
        facts = index.data(_FACTS_ROLE)
        self._draw_text(painter, card, 118, self._strong, "text", index.data())
        if facts is not None:
            self._draw_text(painter, card, 139, self._small, "secondary", facts.cost)
            self._draw_text(painter, card, 158, self._small, "secondary", facts.result)
        painter.restore()

    def _paint_background(self, painter: QPainter, card: QRect, option: QStyleOptionViewItem) -> None:
        states = QStyle.StateFlag
        selected = bool(option.state & states.State_Selected)
        hovered = bool(option.state & states.State_MouseOver)
        width = 2 if selected and option.state & states.State_HasFocus else 1
        painter.setPen(QPen(theme().color("accent" if selected else "border"), width))
        painter.setBrush(theme().color("selection" if selected else "grid" if hovered else "panel"))
        painter.drawRoundedRect(QRectF(card).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)

    def _draw_text(
        self, painter: QPainter, card: QRect, middle: int, metrics: TextMetrics, token: str, text: str
    ) -> None:
        painter.setFont(metrics.font)
        painter.setPen(theme().color(token))
        elided = metrics.elided(text, card.width() - 24)
        painter.drawText(card.left() + 12, metrics.baseline(card.top() + middle), elided)
