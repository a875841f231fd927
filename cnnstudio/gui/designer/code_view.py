"""The network's code beside the layer that it comes from: PyTorch and Keras, the chosen layer's lines lit."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QSize, QTimer
from PySide6.QtGui import (
    QGuiApplication,
    QHideEvent,
    QShowEvent,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
)

from cnnstudio.gui.project import Project
from cnnstudio.gui.theme import theme
from cnnstudio.interchange import keras, pytorch
from cnnstudio.layers.base import UserError

_WRITERS = {"PyTorch": pytorch.layer_code, "Keras": keras.layer_code}
_NO_CODE: list[tuple[str | None, str]] = [(None, "# The code of the layers stands here.")]
_HIGHEST = 360
_DELAY = 60
"""Milliseconds. The code follows when the list stands, so that it never holds up a drop or typing."""


class CodeView(QFrame):
    """All lines of the network as code, moved to those of the selected layers."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._owners: list[str | None] = []
        self._tabs = QTabBar()
        self._text = QPlainTextEdit()
        self._copy = QToolButton()
        self._later = QTimer(self)
        self._compose()
        self._later.setSingleShot(True)
        self._later.setInterval(_DELAY)
        self._later.timeout.connect(self._show_code)
        self._tabs.currentChanged.connect(self._show_code)
        self._copy.clicked.connect(self._on_copy)
        for signal in (project.network_changed, project.selection_changed, theme().changed):
            signal.connect(self._show_code_later)

    def sizeHint(self) -> QSize:
        return QSize(320, 110)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @property
    def lit_lines(self) -> list[str]:
        """The lines of the selected layers."""
        lines = self._text.toPlainText().split("\n")
        return [line for line, owner in zip(lines, self._owners, strict=False) if owner in self._lit()]

    def _compose(self) -> None:
        self.setProperty("role", "code")
        self.setObjectName("codeView")
        for name in _WRITERS:
            self._tabs.addTab(name)
        self._tabs.setFont(theme().font("help"))
        self._tabs.setExpanding(False)
        self._tabs.setAccessibleName("Language of the code")
        self._text.setObjectName("code")
        self._text.setProperty("role", "code")
        self._text.setReadOnly(True)
        self._text.setFont(theme().monospace())
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName("Code of the network")
        self._copy.setText("Copy")
        self._copy.setObjectName("copyCode")
        self._copy.setProperty("role", "quiet")
        self._copy.setToolTip("Copy the code of all layers")
        self._copy.setAccessibleName("Copy the code of all layers")
        head = QHBoxLayout()
        head.addWidget(self._tabs, 1)
        head.addWidget(self._copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 6, 6)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self._text, 1)
        self.setMaximumHeight(_HIGHEST)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_code_later()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._later.stop()

    def _show_code_later(self, *_: object) -> None:
        if self.isVisible():
            self._later.start()

    def _show_code(self, *_: object) -> None:
        """Writes the code anew, and lights and shows what belongs to the selection."""
        self._later.stop()
        write = _WRITERS[self._tabs.tabText(self._tabs.currentIndex())]
        try:
            lines = write(self._project.network, self._project.analysis) or _NO_CODE
        except UserError as error:
            lines = [(None, f"# {error}")]
        self._owners = [owner for owner, _ in lines]
        code = "\n".join(line for _, line in lines)
        if code != self._text.toPlainText():
            self._text.setPlainText(code)
        self._light()

    def _lit(self) -> Collection[str | None]:
        """The selected layers and all that is in them."""
        network = self._project.network
        return {node.id for chosen in self._project.selection for node in network.node(chosen).walk()}

    def _light(self) -> None:
        lit = QTextCharFormat()
        lit.setForeground(theme().color("text"))
        lit.setBackground(theme().color("selection"))
        lit.setProperty(QTextFormat.Property.FullWidthSelection, True)
        chosen = self._lit()
        numbers = [number for number, owner in enumerate(self._owners) if owner in chosen]
        selections = []
        for number in numbers:
            selection = QTextEdit.ExtraSelection()
            selection.format = lit
            selection.cursor = QTextCursor(self._text.document().findBlockByNumber(number))
            selections.append(selection)
        self._text.setExtraSelections(selections)
        self._scroll_to(numbers[0] if numbers else 0)

    def _scroll_to(self, line: int) -> None:
        """Puts the line into the middle."""
        self._text.setTextCursor(QTextCursor(self._text.document().findBlockByNumber(line)))
        self._text.centerCursor()

    def _on_copy(self) -> None:
        self._show_code()
        QGuiApplication.clipboard().setText(self._text.toPlainText())
