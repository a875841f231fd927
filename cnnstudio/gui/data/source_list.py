"""The slim list of the data sets: name, whether it is in use, and how many images it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from cnnstudio.core.formatting import format_count, screen_reader_text
from cnnstudio.data.sources import Source, sources
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

ROW_HEIGHT = 44
_SIDE = 16
_NAME, _TEXTS = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


class SourceList(QListWidget):
    """All data sets; the chosen one is looked at, which does not mean that it is trained on."""

    source_chosen = Signal(object)
    """The name of the data set that is looked at now; of images that were used by their path, that path."""
    unlisted_activated = Signal(object)
    """The Path of such images was clicked or opened with Enter: the user may want to add them."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("sourceList")
        self.setAccessibleName("Data sets")
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Delegate(self))
        self._infos: Mapping[str, Mapping[str, Any]] = {}
        self._used = ""
        self._sources: dict[str, Source] = {}
        self._unlisted: dict[str, Path] = {}
        """Images that were used by their path, by that path as text."""
        self.itemClicked.connect(self._on_activated)
        self.itemActivated.connect(self._on_activated)
        self.currentItemChanged.connect(self._on_current_changed)
        theme().changed.connect(self._on_theme_changed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # What stands below the list comes when a data set is chosen: its row stays in sight.
        self.scrollToItem(self.currentItem())

    def refresh(self) -> None:
        """Lists the data sets that there are now; the chosen one stays."""
        chosen = self.chosen
        self.blockSignals(True)
        self.clear()
        self._sources = {source.name: source for source in sources()}
        listed = {source.path for source in self._sources.values() if isinstance(source, FileSource)}
        self._unlisted = {name: path for name, path in self._unlisted.items() if path not in listed}
        for name in (*self._sources, *self._unlisted):
            QListWidgetItem(self).setData(_NAME, name)
        self._show_texts()
        self.blockSignals(False)
        self.choose(chosen if chosen in (*self._sources, *self._unlisted) else self._used)

    def show_unlisted(self, paths: Sequence[Path]) -> None:
        """Lists images that were used by their path, and chooses those in use if they were not listed yet."""
        before, self._unlisted = self._unlisted, {str(path): path for path in paths}
        self.refresh()
        if self._used in self._unlisted and self._used not in before:
            self.choose(self._used)

    @property
    def chosen(self) -> str:
        item = self.currentItem()
        # The stubs of PySide6 claim that currentItem never returns None.
        return str(item.data(_NAME)) if item is not None else ""  # type: ignore[redundant-expr]

    def choose(self, name: str) -> None:
        """Looks at a data set, if there is one of this name."""
        for row in range(self.count()):
            if self.item(row).data(_NAME) == name:
                self.setCurrentRow(row)

    def show_used(self, name: str) -> None:
        """Marks the data set that the next training uses."""
        self._used = name
        self._show_texts()

    def show_details(self, infos: Mapping[str, Mapping[str, Any]]) -> None:
        """Shows what the sources say of themselves."""
        self._infos = infos
        self._show_texts()

    def _show_texts(self) -> None:
        for row in range(self.count()):
            item = self.item(row)
            name = str(item.data(_NAME))
            if name in self._unlisted:
                title, state, details = self._describe_unlisted(name)
                tooltip = f"{name} was used, but is not in your list: click to add it"
            else:
                title, state, details = self._describe(self._sources[name])
                tooltip = f"{title}. {self._sources[name].description}"
            item.setData(_TEXTS, (title, state, details))
            text = ", ".join(part for part in (title, state.lstrip("✓↓ "), details) if part)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, screen_reader_text(text))
            item.setToolTip(plain_tooltip(tooltip))

    def _describe_unlisted(self, name: str) -> tuple[str, str, str]:
        path = self._unlisted[name]
        state = "✓ in use" if name == self._used else "not added"
        return plain_line(path.name, 80), state, plain_line(f"used in {path.parent}", 200)

    def _describe(self, source: Source) -> tuple[str, str, str]:
        info = self._infos.get(source.name, {})
        state = "✓ in use" if source.name == self._used else "" if source.available() else "↓ download"
        if not source.built_in and not source.available():
            state = "not found"
        counts = [format_count(info[part]) for part in ("train", "validation", "test") if info.get(part)]
        details = " + ".join(counts)
        if info.get("classes"):
            details = " · ".join(filter(None, (details, f"{format_count(len(info['classes']))} classes")))
        return plain_line(source.title, 80), state, details or plain_line(source.description, 80)

    def sizeHint(self) -> QSize:
        return QSize(212, 300)

    def _on_current_changed(self, *_: object) -> None:
        if self.chosen:
            self.source_chosen.emit(self.chosen)

    def is_unlisted(self, name: str) -> bool:
        """Whether this is the path of images that were used, but not added."""
        return name in self._unlisted

    def _on_activated(self, item: QListWidgetItem) -> None:
        path = self._unlisted.get(str(item.data(_NAME)))
        if path is not None:
            self.unlisted_activated.emit(path)

    def _on_theme_changed(self, _: object) -> None:
        self.itemDelegate().deleteLater()
        self.setItemDelegate(_Delegate(self))


class _Delegate(QStyledItemDelegate):
    def __init__(self, parent: QListWidget) -> None:
        super().__init__(parent)
        self._strong, self._content = (
            TextMetrics(theme().font("strong")),
            TextMetrics(theme().font("content")),
        )
        self._small = TextMetrics(theme().font("axis"))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        rect, state, states = option.rect, option.state, QStyle.StateFlag
        is_chosen = bool(state & states.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if is_chosen:
            painter.fillRect(rect, theme().color("selection"))
        elif state & states.State_MouseOver:
            painter.fillRect(rect, theme().color("grid"))
        if state & states.State_HasFocus and state & states.State_KeyboardFocusChange:
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawRoundedRect(QRectF(rect).adjusted(2, 2, -2, -2), 5, 5)
        title, mark, details = index.data(_TEXTS)
        right = rect.right() - 12
        width = self._small.width(mark)
        painter.setFont(self._small.font)
        painter.setPen(theme().color("good" if mark.startswith("✓") else "secondary"))
        painter.drawText(right - width, self._small.baseline(rect.top() + 15), mark)
        font = self._strong if is_chosen else self._content
        painter.setFont(font.font)
        painter.setPen(theme().color("text"))
        left = rect.left() + _SIDE
        painter.drawText(left, font.baseline(rect.top() + 15), font.elided(title, right - width - 8 - left))
        painter.setFont(self._small.font)
        painter.setPen(theme().color("secondary"))
        painter.drawText(
            left, self._small.baseline(rect.top() + 31), self._small.elided(details, right - left)
        )
        painter.restore()
