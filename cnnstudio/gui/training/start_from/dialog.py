"""The dialog in which the weights are chosen that the next training starts from."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.design import edits
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.start_from.fit_list import FitList
from cnnstudio.gui.training.start_from.preview_job import Found, PreviewJob
from cnnstudio.gui.training.start_from.sources import Entry, SourceList
from cnnstudio.gui.training.start_from.start_choice import StartChoice
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.runs.library.listing import RunListing, list_summaries
from cnnstudio.training.pretrained.catalog import PRETRAINED

_SIZE = QSize(860, 560)
_LIST_WIDTH, _EPOCHS_WIDTH = 300, 200
_DELAY = 120
"""Milliseconds after the selection moved: who goes through the list with the arrow keys waits for one."""
_FILTER = "Weights (*.safetensors);;All files (*)"
_HELP = (
    "Layers that fit take these weights, the others start afresh. Locked layers keep them as they are; the "
    "others go on learning."
)
_LOADING, _READING = "Loading PyTorch…", "Reading…"
_NOTHING = "Choose pretrained weights, a run or a file."


class StartDialog(QDialog):
    """Sources on the left, what of the selected one fits the design on the right."""

    chosen = Signal(object)
    """A StartChoice."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        parent: QWidget | None,
        path: Path | None = None,
        current: StartChoice | None = None,
    ) -> None:
        """With `path`, that run or file is selected; else what is chosen now."""
        super().__init__(parent)
        self.setObjectName("startDialog")
        self.setWindowTitle("Start from…")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(_SIZE)
        self._project, self._session = project, session
        self._epoch: int | None = None
        """The epoch to start from; None for the best."""
        self._epoch_of = ""
        """The run of which that was chosen."""
        self._locked: tuple[str, ...] = ()
        """Locked layers that would start from random weights."""
        self.sources = SourceList()
        self.job = PreviewJob(session, self)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_DELAY)
        self._compose()
        self._connect()
        self._listing = IoTask(lambda progress, cancelled: list_summaries(progress, cancelled), self)
        self._listing.done.connect(self._on_listed)
        self._listing.failed.connect(lambda text: self._show_error(str(text)))
        self._listing.start()
        self._select_first(path, current)

    def _select_first(self, path: Path | None, current: StartChoice | None) -> None:
        source = current.source if current is not None else self._project.network.weights or ""
        if path is None and current is not None and _is_file(Path(source)):
            path = Path(source)
        if path is not None and _is_file(path):
            self.sources.add(Entry.of_file(path))
        elif path is not None:
            self.sources.add_run(path)
        elif source:
            run, _, epoch = source.rpartition("@")
            if run and epoch.isdecimal():
                source, self._epoch, self._epoch_of = run, int(epoch), run
            if source in PRETRAINED:
                self.sources.select(source)
            else:
                self.sources.add_run(Path(source))
        self._on_selected()

    # Composition

    def _compose(self) -> None:
        self._title = ElidedLabel("", "strong")
        self._title.setObjectName("startTitle")
        self.epochs = QComboBox()
        self.epochs.setObjectName("startEpoch")
        self.epochs.setMinimumWidth(_EPOCHS_WIDTH)
        self.epochs.setAccessibleName("Weights of which epoch")
        self.epochs.setToolTip("The run’s best weights, or those that were kept of another epoch")
        self._summary = Label("", "content", wrap=True)
        self._summary.setObjectName("startSummary")
        self.fits = FitList()
        self._warning = Label("", "help", "wrong", wrap=True)
        self._warning.setObjectName("startWarning")
        self._unlock = QPushButton("Unlock them")
        self._unlock.setObjectName("startUnlock")
        self._unlock.setProperty("role", "fix")
        self._unlock.setAutoDefault(False)
        self._notice = Label("", "help", "secondary", wrap=True)
        self._notice.setObjectName("startNotice")
        self.open_button = QPushButton("Open file…")
        self.open_button.setObjectName("startOpenFile")
        self.open_button.setAutoDefault(False)
        self.open_button.setToolTip("Start from the weights in a .safetensors file")
        self.use_button = QPushButton("Use these weights")
        self.use_button.setObjectName("startUse")
        self.use_button.setProperty("role", "primary")
        self.use_button.setDefault(True)
        cancel = leave_button(self, "Cancel")
        cancel.setObjectName("startCancel")
        cancel.setAutoDefault(False)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._title, 1)
        head.addWidget(self.epochs)
        warning = QHBoxLayout()
        warning.setSpacing(8)
        warning.addWidget(self._warning, 1)
        warning.addWidget(self._unlock, 0, Qt.AlignmentFlag.AlignTop)
        side, right = Panel("startFits"), QVBoxLayout()
        right.setContentsMargins(16, 12, 16, 12)
        right.setSpacing(8)
        right.addLayout(head)
        right.addWidget(self._summary)
        right.addWidget(self.fits, 1)
        right.addLayout(warning)
        right.addWidget(self._notice)
        side.setLayout(right)
        left = QVBoxLayout()
        left.setSpacing(8)
        left.addWidget(self.sources, 1)
        left.addWidget(self.open_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.sources.setFixedWidth(_LIST_WIDTH)
        body = QHBoxLayout()
        body.setSpacing(12)
        body.addLayout(left)
        body.addWidget(side, 1)
        whole = dialog_column(self, "Start from…", _HELP)
        whole.addLayout(body, 1)
        whole.addLayout(button_row(cancel, self.use_button))
        self.sources.list.setFocus()

    def _connect(self) -> None:
        self.sources.selected.connect(self._on_entry_changed)
        self.sources.activated.connect(self._use)
        self._delay.timeout.connect(self._on_selected)
        self.epochs.activated.connect(self._on_epoch)
        self.job.found.connect(self._show_found)
        self.job.failed.connect(self._show_error)
        self.open_button.clicked.connect(self._open_file)
        self.use_button.clicked.connect(self._use)
        self._unlock.clicked.connect(self._on_unlock)
        self._project.network_changed.connect(self._on_selected)
        self._session.devices_changed.connect(self._on_loaded)
        self.finished.connect(lambda _: self._close_tasks())

    def _close_tasks(self) -> None:
        # It is deleted a moment later, and must not start anything until then.
        self._project.network_changed.disconnect(self._on_selected)
        self._session.devices_changed.disconnect(self._on_loaded)
        self._delay.stop()
        self._listing.cancel()
        self.job.cancel()

    # What is selected

    def _on_listed(self, listing: object) -> None:
        assert isinstance(listing, RunListing)
        self.sources.show_runs(listing.runs)

    def _on_entry_changed(self, entry: object) -> None:
        # What is found of the entry before must not be taken for this one's.
        self.job.cancel()
        # The same run again is one of which more is known now.
        if not isinstance(entry, Entry) or entry.source != self._epoch_of:
            self._epoch, self._epoch_of = None, ""
        self._clear(self._awaited)
        self._delay.start()

    def _on_epoch(self, index: int) -> None:
        entry = self.sources.current
        self._epoch = self.epochs.itemData(index)
        self._epoch_of = "" if entry is None else entry.source
        self._on_selected()

    def _on_selected(self, _: object = None) -> None:
        """Reads what is selected."""
        self._delay.stop()
        entry = self.sources.current
        self._clear(self._awaited if entry is not None else _NOTHING)
        if entry is None:
            self.epochs.hide()
            self._title.set_full_text("")
            self.job.cancel()
            return
        self._title.set_full_text(entry.title)
        if entry.folder is None:
            self.epochs.hide()
        self.job.start(entry.source, entry.folder, self._epoch, self._project.network)

    @property
    def _awaited(self) -> str:
        """What is waited for: soon after the start of the program, not what was selected."""
        return _READING if self._session.is_loaded else _LOADING

    def _on_loaded(self) -> None:
        if self._summary.text() == _LOADING:
            self._say(_READING, is_error=False)

    def _clear(self, text: str) -> None:
        self.use_button.setEnabled(False)
        self.fits.show_rows(())
        self._say(text, is_error=False)
        for widget in (self._warning, self._unlock, self._notice):
            widget.hide()

    def _say(self, text: str, *, is_error: bool) -> None:
        self._summary.setText(text)
        self._summary.set_tone("wrong" if is_error else "text")

    def _show_found(self, found: object) -> None:
        assert isinstance(found, Found)
        self._show_epochs(found)
        preview = found.preview
        self._say(f"{preview.summary}.", is_error=False)
        self.fits.show_rows(preview.rows)
        self._warning.setText(preview.warning)
        self._unlock.setText("Unlock it" if len(preview.random_locks) == 1 else "Unlock them")
        self._warning.setVisible(bool(preview.warning))
        self._unlock.setVisible(bool(preview.warning))
        notice = preview.notice
        self._notice.setText(f"{notice[:1].upper()}{notice[1:]}." if notice else "")
        self._notice.setVisible(bool(notice))
        self._locked = preview.random_locks
        self.use_button.setEnabled(True)

    def _show_epochs(self, found: Found) -> None:
        self.epochs.setVisible(bool(found.epochs))
        self.epochs.clear()
        for each in found.epochs:
            self.epochs.addItem(each.text, each.epoch if not each.is_best else None)
        self.epochs.setCurrentIndex(max(self.epochs.findData(self._epoch), 0))

    def _show_error(self, text: object) -> None:
        self._clear("")
        self._say(str(text), is_error=True)

    # What the user does

    def _open_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Start from a file", "", _FILTER)
        if name:
            self.sources.add(Entry.of_file(Path(name)))
            self._on_selected()

    def _on_unlock(self) -> None:
        network = self._project.network
        ids = [each for each in self._locked if each in network]
        if ids:
            text = "unlock layer" if len(ids) == 1 else f"unlock {len(ids)} layers"
            self._project.edit(text, edits.set_trainable(network, ids, True))

    def _use(self) -> None:
        entry = self.sources.current
        if entry is None or not self.use_button.isEnabled():
            return
        title, source = entry.title, entry.source
        if entry.folder is not None:
            source, title = self.job.source, f"{title}, {self._epoch_title()}"
        self.accept()
        self.chosen.emit(StartChoice(source, plain_line(title)))

    def _epoch_title(self) -> str:
        return "best epoch" if self._epoch is None else f"epoch {self._epoch:,}"


def _is_file(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors"
