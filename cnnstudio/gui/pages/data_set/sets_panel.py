"""The data sets, the place to drop one's own images on, and the corrections of the set that is looked at."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.data.source_list import SourceList
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.panel_parts import PanelFoot, PanelHead, fill
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel

_FILES = "Tables and zip files (*.csv *.tsv *.txt *.zip);;All files (*)"
_DROP = "Drop a folder with one subfolder per class, a zip or a CSV file"
VERSION_DIGITS = 8


class SetsPanel(Panel):
    """The list is the hero; below it the drop zone, and at the foot what was corrected."""

    path_chosen = Signal(object)
    """The folder or file with images that the user wants to add."""
    undo_all_requested = Signal()
    comparison_requested = Signal()
    """The versions of the set that is looked at are to be compared."""

    def __init__(self) -> None:
        super().__init__("setsPanel")
        self.list = SourceList()
        self.add = QPushButton("Add images…")
        self.add.setObjectName("addImages")
        self.add.setProperty("role", "small")
        self.add.setToolTip(
            "Add a folder with one subfolder of images per class, a table (CSV) or a zip file"
        )
        self.add_menu = QMenu(self.add)
        self.add_menu.addAction("Folder…", self.choose_folder)
        self.add_menu.addAction("Table or zip file…", self.choose_file)
        self.add.clicked.connect(self._on_add)
        self.version = ElidedLabel(role="help", tone="secondary")
        self.corrections = ElidedLabel(role="help", tone="secondary")
        self.undo_all = QPushButton("Undo all")
        self.undo_all.setObjectName("undoAllCorrections")
        self.undo_all.setProperty("role", "small")
        self.undo_all.setToolTip(
            "Drop all corrections of labels and exclusions; Z in the review queue takes that back"
        )
        self.undo_all.clicked.connect(self.undo_all_requested)
        self.compare = QPushButton("Compare…")
        self.compare.setObjectName("compareVersions")
        self.compare.setProperty("role", "small")
        self.compare.setAccessibleName("Compare versions")
        self.compare.setToolTip("Say what differs between two versions of this data set")
        self.compare.clicked.connect(self.comparison_requested)
        lines = QWidget()
        column = QVBoxLayout(lines)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.version)
        column.addWidget(self.corrections)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 4, 0, 0)
        buttons.setSpacing(8)
        buttons.addWidget(self.compare)
        buttons.addWidget(self.undo_all)
        buttons.addStretch(1)
        column.addLayout(buttons)
        self._foot = PanelFoot(lines)
        fill(self, PanelHead("Data sets"), self.list, _DropZone(self.add), self._foot, hero=self.list)
        self.focus_target = self.list
        self.show_corrections(None)

    def show_corrections(self, overlay: LabelOverlay | None) -> None:
        """Says which version is looked at, and how many corrections it has."""
        self._foot.setVisible(overlay is not None)
        if overlay is None:
            return
        labels, excluded = overlay.counts
        self.version.set_full_text(f"Version {overlay.version[:VERSION_DIGITS]}")
        self.corrections.set_full_text(f"{pluralize(labels, 'label')} changed, {excluded:,} excluded")
        self.undo_all.setVisible(bool(labels or excluded))

    def _on_add(self) -> None:
        self.add_menu.popup(self.add.mapToGlobal(QPoint(0, self.add.height())))

    def choose_folder(self) -> None:
        """Asks for a folder of images."""
        folder = QFileDialog.getExistingDirectory(self, "Add images")
        if folder:
            self.path_chosen.emit(Path(folder))

    def choose_file(self) -> None:
        """Asks for a table or a zip file of images."""
        name, _ = QFileDialog.getOpenFileName(self, "Add images", "", _FILES)
        if name:
            self.path_chosen.emit(Path(name))


class _DropZone(QWidget):
    """A dashed frame that says what can be dropped; the window takes the drop, wherever it falls."""

    def __init__(self, button: QPushButton) -> None:
        super().__init__()
        text = Label(_DROP, "help", "secondary", wrap=True)
        text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(8)
        column.addWidget(text)
        column.addLayout(row)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("secondary"), 1, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(12.5, 8.5, -12.5, -8.5), 6, 6)
        painter.end()
