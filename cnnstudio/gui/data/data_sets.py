"""The data sets: download them, add folders of images, and choose one to train on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import format_bytes
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.data.sources import Source, sources
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_list import unregister_set
from cnnstudio.gui.compute.io_task import IoFunction, IoTask
from cnnstudio.gui.data.source_row import SourceRow
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.scroll_area import scroll_area

_ARCHIVES = "Archives (*.gz *.tgz);;All files (*)"
_FOLDER_HELP = "One subfolder of images per class, or train and test folders with such subfolders."


class DataSets(QWidget):
    """A card for each source. Runs one task at a time."""

    chosen = Signal(object)
    """The name of the data set that the user wants to train on."""
    changed = Signal()
    """A data set was downloaded, added or removed."""
    folder_chosen = Signal(object)
    """The folder or table of images that the user wants to add, or whose settings to change."""
    details_loaded = Signal(object)
    """What each source says of itself: name -> `Source.info()`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._only: str | None = None
        self._used = ""
        self._task: IoTask | None = None
        self._transferring = ""
        """The source that the task downloads or imports."""
        self._is_paused = False
        """Whether the last download was paused, rather than canceled."""
        self._info_task: IoTask | None = None
        self._rows: dict[str, SourceRow] = {}
        self._message = Label("", "help", "wrong", wrap=True)
        self._message.setObjectName("dataMessage")
        self._message.hide()
        self._compose()
        self._fill()

    def _compose(self) -> None:
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        self._list.setContentsMargins(0, 0, 0, 0)
        content = QWidget()
        content.setLayout(self._list)
        scroll = scroll_area(content)
        self._add = QPushButton("Add image folder…")
        self._add.setObjectName("addFolder")
        self._add.clicked.connect(self._on_add)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(8)
        foot.addWidget(self._add)
        foot.addWidget(Label(_FOLDER_HELP, "help", "secondary", wrap=True), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(scroll, 1)
        column.addWidget(self._message)
        column.addWidget(self._foot)

    # The list

    def show_only(self, name: str) -> None:
        """Shows the card of one source alone, without the button that adds one."""
        self._foot.hide()
        self._only = name
        for each, row in self._rows.items():
            row.setVisible(each == name)

    def show_used(self, name: str) -> None:
        """Marks the data set that the next training uses."""
        self._used = name
        for each, row in self._rows.items():
            row.show_used(each == name)

    def refresh(self) -> None:
        """Lists the sources again, unless something is in progress here."""
        if self._task is None:
            self._fill()

    def _fill(self) -> None:
        """Lists the current sources and loads their details in the background."""
        for row in self._rows.values():
            self._list.removeWidget(row)
            row.deleteLater()
        while self._list.count():
            self._list.takeAt(0)
        found = sources()
        self._rows = {source.name: self._make_row(source) for source in found}
        self._list.addStretch(1)
        self._load_details(found)

    def _make_row(self, source: Source) -> SourceRow:
        row = SourceRow(source)
        row.use_requested.connect(self._on_use)
        row.download_requested.connect(self._on_download)
        row.archive_requested.connect(self._on_archive)
        row.change_requested.connect(self._on_change)
        row.removal_requested.connect(self._on_removal)
        row.cancel_requested.connect(self._on_cancel)
        row.pause_requested.connect(self._on_pause)
        row.discard_requested.connect(self._on_discard)
        self._list.addWidget(row)
        row.show_used(source.name == self._used)
        row.setVisible(self._only in (None, source.name))
        return row

    def _load_details(self, found: list[Source]) -> None:
        """In a task: a folder may have a million images or be on a slow drive."""
        if self._info_task is not None:
            self._info_task.cancel()

        def load(progress: ProgressFunction, cancelled: CancelFunction) -> dict[str, dict[str, Any]]:
            return {source.name: source.info() for source in found if not cancelled()}

        self._info_task = IoTask(load, self)
        self._info_task.done.connect(self._on_details_loaded)
        self._info_task.start()

    def _on_details_loaded(self, infos: object) -> None:
        assert isinstance(infos, dict)
        for name, info in infos.items():
            if name in self._rows:
                self._rows[name].show_info(info)
        self.details_loaded.emit(infos)

    # Buttons

    def _on_use(self, source: object) -> None:
        assert isinstance(source, Source)
        self.chosen.emit(source.name)

    def _on_download(self, source: object) -> None:
        assert isinstance(source, Source)
        text = f"Starting the download of {source.title}"
        self._begin(source, source.download, text, can_pause=True)

    def _on_archive(self, source: object) -> None:
        assert isinstance(source, Source)
        name, _ = QFileDialog.getOpenFileName(self, f"Open the archive of {source.title}", "", _ARCHIVES)
        if name:
            self._begin(source, partial(source.import_archive, Path(name)), f"Checking {Path(name).name}")

    def _begin(
        self, source: Source, function: Callable[..., object], text: str, *, can_pause: bool = False
    ) -> None:
        row = self._rows[source.name]
        row.begin(text, can_pause=can_pause)
        self._is_paused, self._transferring = False, source.name
        ready = f"{source.title} is ready."

        def on_done(_: object) -> None:
            row.show_message(ready, is_error=False)
            self._load_details(sources())
            self.changed.emit()

        self._start(function, row.show_progress, on_done)
        assert self._task is not None
        self._task.failed.connect(lambda text: row.show_message(str(text), is_error=True))
        self._task.ended.connect(lambda: self._on_transfer_ended(row))
        self._task.start()

    def _on_transfer_ended(self, row: SourceRow) -> None:
        if self._is_paused and not row.source.available():
            # What has come is in a file, from which the next download resumes, also after a restart.
            info = row.source.info()
            sizes = [format_bytes(info.get(key, 0)) for key in ("downloaded_bytes", "download_bytes")]
            row.show_paused(f"Paused: {sizes[0]} of {sizes[1]} downloaded.")
        else:
            row.end()
            self._load_details(sources())
            if self._is_paused:
                # It was complete a moment before.
                self.changed.emit()

    def _on_add(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Add image folder")
        if folder:
            self.folder_chosen.emit(Path(folder))

    @property
    def used(self) -> str:
        """The data set that the next training uses, as far as that is known here."""
        return self._used

    def show_added(self, name: str, *, is_new: bool) -> None:
        """Lists a data set that was added or changed elsewhere, and says so."""
        self._only = self._only and name
        self._fill()
        if name in self._rows:
            row = self._rows[name]
            row.show_message(f"{row.source.title} was {'added' if is_new else 'changed'}.", is_error=False)

    def _on_change(self, source: object) -> None:
        assert isinstance(source, FileSource)
        self.folder_chosen.emit(source.path)

    def _on_removal(self, source: object) -> None:
        assert isinstance(source, Source)
        try:
            unregister_set(source.name)
        except UserError as error:
            self._show_message(str(error))
        else:
            self._fill()
            self.changed.emit()

    def _on_cancel(self, source: object) -> None:
        assert isinstance(source, Source)
        if self._task is not None and self._transferring == source.name:
            self._task.cancel()
        elif source.name in self._rows:
            # It was paused; another one may be in progress.
            self._rows[source.name].end()
            self._load_details(sources())

    def _on_pause(self, source: object) -> None:
        self._is_paused = True
        if self._task is not None:
            self._task.cancel()

    def _on_discard(self, source: object) -> None:
        assert isinstance(source, Source)
        row = self._rows[source.name]
        try:
            source.discard_download()
        except UserError as error:
            row.show_message(str(error), is_error=True)
        else:
            row.show_message("What was downloaded so far was deleted.", is_error=False)
        self._load_details(sources())

    # The task

    def _start(
        self,
        function: IoFunction,
        on_progress: Callable[[Progress], None],
        on_done: Callable[[object], None],
    ) -> None:
        self._task = IoTask(function, self, writes_files=True)
        self._task.progressed.connect(on_progress)
        self._task.done.connect(on_done)
        self._task.ended.connect(self._on_ended)
        self._show_busy(True)

    def _on_ended(self) -> None:
        self._task = None
        self._show_busy(False)

    def _show_busy(self, busy: bool) -> None:
        self._add.setEnabled(not busy)
        for row in self._rows.values():
            row.show_state(busy)

    def _show_message(self, text: str) -> None:
        self._message.setText(text)
        self._message.setVisible(bool(text))

    def close_tasks(self) -> None:
        """Cancels what is in progress."""
        for task in (self._task, self._info_task):
            if task is not None:
                task.close()
