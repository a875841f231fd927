"""Everything that a window shows as text, and what is wrong with it if names come from a stranger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, QModelIndex, Qt, QUrl
from PySide6.QtGui import QAction, QPainter, QTextDocument
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QGroupBox,
    QLabel,
    QMenu,
    QScrollArea,
    QTabBar,
    QWidget,
)

MARKUP = (
    "{x}<b>x</b><img src='file:///probe.png'>&amp; a&b\n\t\x1b[31m\x07\x9b\u202ekcab\u2066\u200f\u2028end"
)
FILE_NAME = MARKUP.replace("/", "\u2044")
LONG = "W" * 10_000
LONG_FILE_NAME = "W" * 200

_MAX_LEAST_WIDTH, _MAX_WIDTH = 1_200, 1_500
"""Names must not push anything off the screen, or widen a window."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What acts on other text or on lines. Marks of direction, which languages need, do not."""
_MAX_TOOLTIP_LINE = 160
"""Characters in a line of a plain tooltip, which Qt does not wrap."""
_MAX_ITEMS = 500
_ROLES = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.StatusTipRole)


def faults(root: QWidget) -> list[str]:
    """What is wrong with the texts of the widget, its children and their actions, menus and items."""
    QApplication.processEvents()
    found: list[str] = []
    widgets = [root, *root.findChildren(QWidget)]
    for widget in widgets:
        for kind, text in _texts_of(widget):
            found += [f"{_name(widget)} {kind}: {fault}" for fault in _faults_of(kind, text)]
        is_plain = not isinstance(widget, QLabel) or widget.textFormat() is Qt.TextFormat.PlainText
        if not is_plain and widget.text():
            found.append(f"{_name(widget)} {widget.text()[:30]!r} is not plain text")
        if _is_on_screen(widget) and widget.width() > _MAX_WIDTH:
            found.append(f"{_name(widget)} is {widget.width()} wide")
        if isinstance(widget, QScrollArea) and widget.isVisible() and _is_cut_off(widget):
            found.append(f"{_name(widget)} has contents that are wider")
    for action in root.findChildren(QAction):
        texts = {"mnemonic": action.text(), "tooltip": action.toolTip(), "text": action.statusTip()}
        for kind, text in texts.items():
            found += [f"action {action.objectName()} {kind}: {fault}" for fault in _faults_of(kind, text)]
    if root.minimumSizeHint().width() > _MAX_LEAST_WIDTH:
        found.append(f"{_name(root)} is at least {root.minimumSizeHint().width()} wide")
    if root.sizeHint().width() > _MAX_WIDTH:
        found.append(f"{_name(root)} wants to be {root.sizeHint().width()} wide")
    return list(dict.fromkeys(found))


def _is_on_screen(widget: QWidget) -> bool:
    """Not what is scrolled."""
    parent = widget.parentWidget()
    while parent is not None and parent.objectName() != "qt_scrollarea_viewport":
        parent = parent.parentWidget()
    return widget.isVisible() and parent is None


def _is_cut_off(area: QScrollArea) -> bool:
    never = area.horizontalScrollBarPolicy() is Qt.ScrollBarPolicy.ScrollBarAlwaysOff
    return never and area.widget() is not None and area.widget().width() > area.viewport().width()


def _name(widget: QWidget) -> str:
    parents = [widget]
    while parents[-1].parentWidget() is not None and not parents[-1].objectName():
        parents.append(parents[-1].parentWidget())
    return " < ".join(each.objectName() or type(each).__name__ for each in parents)


def _texts_of(widget: QWidget) -> Iterator[tuple[str, str]]:
    yield "tooltip", widget.toolTip()
    yield "text", widget.statusTip()
    yield "tooltip", widget.whatsThis()
    yield "title", widget.windowTitle()
    yield "accessible", widget.accessibleName()
    yield "accessible", widget.accessibleDescription()
    match widget:
        case QAbstractButton():
            yield "mnemonic", widget.text()
        case QLabel():
            yield "text" if widget.buddy() is None else "mnemonic", widget.text()
        case QComboBox():
            for index in range(widget.count()):
                yield "text", widget.itemText(index)
                for role in _ROLES[1:]:
                    yield "tooltip", str(widget.itemData(index, role) or "")
        case QTabBar():
            for index in range(widget.count()):
                yield "mnemonic", widget.tabText(index)
                yield "tooltip", widget.tabToolTip(index)
        case QGroupBox() | QMenu():
            yield "mnemonic", widget.title()
        case QAbstractItemView() if widget.model() is not None:
            yield from _items(widget.model(), QModelIndex())
        case _:
            pass


def _items(model: QAbstractItemModel, parent: QModelIndex) -> Iterator[tuple[str, str]]:
    for row in range(min(model.rowCount(parent), _MAX_ITEMS)):
        columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(parent)
        for column in range(columns):
            index = model.index(row, column, parent)
            for role in _ROLES:
                kind = "tooltip" if role is Qt.ItemDataRole.ToolTipRole else "text"
                yield kind, str(model.data(index, role) or "")
        yield from _items(model, model.index(row, 0, parent))


def _faults_of(kind: str, text: str) -> Iterator[str]:
    if _CONTROL.search(text):
        yield f"control characters in {text[:80]!r}"
    if kind == "mnemonic" and ("a&b" in text.replace("&&", "＆") or "&amp;" in text.replace("&&", "＆")):
        yield f"a name's & is a mnemonic in {text[:80]!r}"
    if kind == "title" and "[*]" in text.replace("[*][*]", "").removesuffix("[*] – CNN Studio"):
        yield f"a name's [*] is a placeholder in {text[:80]!r}"
    if kind == "tooltip":
        yield from _tooltip_faults(text)


class _Document(QTextDocument):
    """Records what it is asked to load."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        self.loaded.append(str(name))
        return None


def _tooltip_faults(text: str) -> Iterator[str]:
    if len(text) > 8_000:
        yield f"a tooltip of {len(text)} characters"
    if not GuiQt.mightBeRichText(text):
        if max(map(len, text.split("\n"))) > _MAX_TOOLTIP_LINE:
            yield f"a tooltip that is too wide: {text[:80]!r}"
        return
    document = _Document()
    document.setHtml(text)
    document.setTextWidth(400)
    document.size()
    if document.loaded or "\N{OBJECT REPLACEMENT CHARACTER}" in document.toPlainText():
        yield f"a tooltip that loads an image: {text[:80]!r}"
    if "probe" in text and "&lt;" not in text:
        yield f"a tooltip with markup of a name: {text[:80]!r}"
    if document.idealWidth() > 500:
        yield f"a tooltip that cannot be wrapped: {text[:80]!r}"


class Painted:
    """The texts that widgets paint themselves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: set[str] = set()
        draw = QPainter.drawText

        def record(painter: QPainter, *arguments: Any) -> Any:
            self.texts |= {argument for argument in arguments if isinstance(argument, str)}
            return draw(painter, *arguments)

        monkeypatch.setattr(QPainter, "drawText", record)

    @property
    def faults(self) -> list[str]:
        wrong = (text for text in sorted(self.texts) if _CONTROL.search(text) or "\n" in text)
        return [f"painted: {text[:80]!r}" for text in wrong]
