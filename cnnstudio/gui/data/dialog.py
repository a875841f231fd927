"""The dialog of the data sets: what there is, bringing more to this computer, choosing one to train on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.data.sources import Source, add_folder, sources
from cnnstudio.data.sources.folder_list import forget_folder
from cnnstudio.gui.compute.io_task import Work, WorkFunction
from cnnstudio.gui.data.source_row import SourceRow
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.progress import ProgressLine

_ARCHIVES = "Archives (*.tar.gz *.tgz);;All files (*)"
_FOLDERS = (
    "A folder with a folder of images for each class, or with train and test folders of that kind in it."
)


class DataDialog(QDialog):
    """Lists the sources. One piece of work at a time; closing the dialog calls it off."""

    chosen = Signal(object)
    """The name of the data set that the user wants to train on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dataDialog")
        self.setWindowTitle("Data sets")
        self.resize(680, 560)
        self._work: Work | None = None
        self._looking: Work | None = None
        self._rows: dict[str, SourceRow] = {}
        self._message = Label("", "help", "wrong", wrap=True)
        self._message.setObjectName("dataMessage")
        self._message.hide()
        self._adding = ProgressLine()
        self._adding.setObjectName("adding")
        self._adding.cancelled.connect(lambda: self._on_cancel(None))
        self._compose()
        self._fill()

    def _compose(self) -> None:
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        self._list.setContentsMargins(0, 0, 0, 0)
        content = QWidget()
        content.setLayout(self._list)
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        self._add = QPushButton("Add an image folder…")
        self._add.setObjectName("addFolder")
        self._add.clicked.connect(self._on_add)
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self._add)
        foot.addWidget(Label(_FOLDERS, "help", "secondary", wrap=True), 1)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(Label("Images to learn from", "title"))
        column.addWidget(scroll, 1)
        column.addWidget(self._message)
        column.addWidget(self._adding)
        column.addLayout(foot)

    # The list

    def _fill(self) -> None:
        """Shows the sources as they are now, and has their details looked up."""
        for row in self._rows.values():
            self._list.removeWidget(row)
            row.deleteLater()
        while self._list.count():
            self._list.takeAt(0)
        found = sources()
        self._rows = {source.name: self._make_row(source) for source in found}
        self._list.addStretch(1)
        self._look(found)

    def _make_row(self, source: Source) -> SourceRow:
        row = SourceRow(source)
        row.use_requested.connect(self._on_use)
        row.download_requested.connect(self._on_download)
        row.archive_requested.connect(self._on_archive)
        row.removal_requested.connect(self._on_removal)
        row.cancel_requested.connect(self._on_cancel)
        self._list.addWidget(row)
        return row

    def _look(self, found: list[Source]) -> None:
        """A folder of a million images, or one on a slow disk, must not hold up the window."""
        if self._looking is not None:
            self._looking.cancel()

        def look(progress: ProgressFunction, cancelled: CancelFunction) -> dict[str, dict[str, Any]]:
            return {source.name: source.info() for source in found if not cancelled()}

        self._looking = Work(look, self)
        self._looking.done.connect(self._on_looked)
        self._looking.start()

    def _on_looked(self, infos: object) -> None:
        assert isinstance(infos, dict)
        for name, info in infos.items():
            if name in self._rows:
                self._rows[name].show_info(info)

    # What the buttons do

    def _on_use(self, source: object) -> None:
        assert isinstance(source, Source)
        self.chosen.emit(source.name)
        self.accept()

    def _on_download(self, source: object) -> None:
        assert isinstance(source, Source)
        self._begin(source, source.download, f"Asking for {source.title}")

    def _on_archive(self, source: object) -> None:
        assert isinstance(source, Source)
        name, _ = QFileDialog.getOpenFileName(self, f"The archive of {source.title}", "", _ARCHIVES)
        if name:
            self._begin(source, partial(source.import_archive, Path(name)), f"Checking {Path(name).name}")

    def _begin(self, source: Source, function: Callable[..., object], sentence: str) -> None:
        row = self._rows[source.name]
        row.begin(sentence)
        ready = f"{source.title} is ready."
        self._start(function, row.show_progress, lambda _: row.show_message(ready, wrong=False))
        assert self._work is not None
        self._work.failed.connect(lambda text: row.show_message(str(text), wrong=True))
        self._work.ended.connect(row.end)
        self._work.start()

    def _on_add(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "A folder of images")
        if not folder:
            return
        self._say("")
        self._adding.begin(f"Looking through {Path(folder).name or folder}")

        def add(progress: ProgressFunction, cancelled: CancelFunction) -> Source:
            return add_folder(Path(folder), cancelled)

        self._start(add, lambda _: None, self._on_added)
        assert self._work is not None
        self._work.failed.connect(lambda text: self._say(str(text)))
        self._work.ended.connect(self._adding.hide)
        self._work.start()

    def _on_added(self, source: object) -> None:
        assert isinstance(source, Source)
        self._fill()
        self._rows[source.name].show_message(f"{source.title} was added.", wrong=False)

    def _on_removal(self, source: object) -> None:
        assert isinstance(source, Source)
        try:
            forget_folder(source.name)
        except UserError as error:
            self._say(str(error))
        else:
            self._fill()

    def _on_cancel(self, source: object) -> None:
        if self._work is not None:
            self._work.cancel()

    # Work

    def _start(
        self,
        function: WorkFunction,
        on_progress: Callable[[Progress], None],
        on_done: Callable[[object], None],
    ) -> None:
        self._work = Work(function, self)
        self._work.progressed.connect(on_progress)
        self._work.done.connect(on_done)
        self._work.ended.connect(self._on_ended)
        self._show_busy(True)

    def _on_ended(self) -> None:
        self._work = None
        self._show_busy(False)

    def _show_busy(self, busy: bool) -> None:
        self._add.setEnabled(not busy)
        for row in self._rows.values():
            row.show_state(busy)

    def _say(self, sentence: str) -> None:
        self._message.setText(sentence)
        self._message.setVisible(bool(sentence))

    def done(self, result: int) -> None:
        for work in (self._work, self._looking):
            if work is not None:
                work.close()
        super().done(result)
