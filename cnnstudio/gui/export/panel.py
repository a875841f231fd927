"""Exports the model of the run on show: one card per format, with the result of its verification."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists, expand_home
from cnnstudio.core.formatting import join_words
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.export import exporters
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.export.card import FormatCard
from cnnstudio.gui.export.card_grid import CardGrid
from cnnstudio.gui.export.kept_exports import KeptExport, read_exports
from cnnstudio.gui.export.outcomes import (
    CANCELLED,
    ExportJob,
    FormatOutcome,
    restore_outcome,
    stamp_of,
    weights_state,
)
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, NameLabel, Panel
from cnnstudio.gui.widgets.scroll_area import scroll_area
from cnnstudio.interchange.interpreter.names import class_name
from cnnstudio.runs.run import Run

_LEAST_WIDTH = 400
_HEAD_HEIGHT, _SIDE = 40, 16
"""As the heads of the other panels."""
_MAX_TITLE = 320
_HELP = "each file is compared with the model before it is kept"
_INCLUDED = "The files contain the classes and the normalization."

Key = tuple[Path | None, int | None, Path, str]
"""Run, state of its weights, folder of the files and format."""


class ExportPanel(Panel):
    """Exports the best weights of a run, on the compute thread."""

    def __init__(self, session: TrainingSession) -> None:
        super().__init__("exportPanel")
        self.setMinimumWidth(_LEAST_WIDTH)
        self._session = session
        self._run: Path | None = None
        self._estimates: Mapping[str, int] = {}
        self._tasks: dict[str, tuple[ComputeTask, ExportJob]] = {}
        self._outcomes: dict[Key, FormatOutcome] = {}
        self._kept: dict[Key, KeptExport] = {}
        """What earlier sessions exported of the run, as far as nobody has looked whether it is still so."""
        self._has_shown = False
        self._cards = {name: FormatCard(exporter) for name, exporter in exporters().items()}
        self._make_fields()
        self._compose()
        for name, card in self._cards.items():
            card.export_wanted.connect(partial(self._export, name))
            card.cancel_wanted.connect(partial(self._on_cancel, name))
            card.open_wanted.connect(self._on_open)
            card.copy_wanted.connect(partial(self._on_copy, name))
        session.state_changed.connect(self.refresh)
        self.show_run(None)

    def show_run(self, run: Path | None) -> None:
        """Offers the export of the run in this folder. During an export it does nothing.

        The panel then keeps the title, folder and results of the run that is exported.
        """
        if self._tasks:
            return
        if run != self._run or not self._has_shown:
            self._has_shown = True
            self._run = run
            title, self._estimates = _read(run) if run is not None else ("", {})
            self._title.set_full_text(f"Export {title}" if title else "Export")
            exports = read_exports(run) if run is not None else ()
            self._kept = {(run, each.weights, each.folder, each.format): each for each in exports}
            if run is not None:
                self._folder.setText(str(exports[-1].folder if exports else _default_folder(title)))
        self.refresh()

    # Composition

    def _make_fields(self) -> None:
        self._title = NameLabel(role="title")
        self._title.setMaximumWidth(_MAX_TITLE)
        self._folder = QLineEdit()
        self._folder.setObjectName("exportFolder")
        self._folder.setProperty("role", "small")
        self._folder.setAccessibleName("Export folder")
        self._folder.textChanged.connect(self.refresh)
        self._browse = QPushButton("Choose…")
        self._browse.setObjectName("chooseFolder")
        self._browse.setProperty("role", "small")
        self._browse.setAccessibleName("Choose the export folder")
        self._browse.clicked.connect(self._on_browse)
        self._facts = Label("", "help", "secondary", wrap=True)
        self._facts.setObjectName("exportFacts")
        self._note = Label("", "help", "secondary", wrap=True)
        self._note.setObjectName("exportNote")
        self._all = QPushButton("Export all")
        self._all.setObjectName("export")
        self._all.setProperty("role", "outlined")
        self._all.clicked.connect(self.export_all)

    def _compose(self) -> None:
        head = QWidget()
        head.setFixedHeight(_HEAD_HEIGHT)
        head_row = QHBoxLayout(head)
        head_row.setContentsMargins(_SIDE, 0, _SIDE, 0)
        head_row.setSpacing(8)
        head_row.addWidget(self._title)
        head_row.addWidget(ElidedLabel(_HELP, "help", "secondary"), 1)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(_SIDE, 0, _SIDE, 8)
        column.setSpacing(8)
        column.addWidget(CardGrid(list(self._cards.values())))
        column.addWidget(self._facts)
        column.addStretch(1)
        scroll = scroll_area(content, by_keys=False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 1, 1, 1)
        outer.setSpacing(0)
        outer.addWidget(head)
        outer.addWidget(scroll, 1)
        outer.addWidget(Line())
        outer.addLayout(self._folder_row())
        outer.addLayout(self._foot())

    def _folder_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(_SIDE, 8, _SIDE, 0)
        row.setSpacing(8)
        label = Label("Folder", "help")
        label.setBuddy(self._folder)
        row.addWidget(label)
        row.addWidget(self._folder, 1)
        row.addWidget(self._browse)
        return row

    def _foot(self) -> QHBoxLayout:
        foot = QHBoxLayout()
        foot.setContentsMargins(_SIDE, 8, _SIDE, 8)
        foot.setSpacing(8)
        foot.addWidget(self._note, 1)
        foot.addWidget(self._all)
        return foot

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # The files may have changed meanwhile.
        self.refresh()

    # What is shown

    @property
    def target(self) -> Path:
        """The folder in the field, with ~ expanded to the user's home."""
        return expand_home(self._folder.text().strip())

    @property
    def _obstacle(self) -> str:
        """Why nothing can be exported now; empty if something can."""
        if self._session.state is not State.IDLE:
            return "Training is in progress. Stop it, or wait for it to finish, then export the model."
        if self._run is None or not (self._run / "checkpoints").is_dir():
            return "There is no trained model yet. Press Train, or open an earlier run (Run ▸ Open run…)."
        return ""

    def refresh(self, *_: object) -> None:
        """Shows the state of every card, and what can be done."""
        obstacle, has_folder = self._obstacle, bool(self._folder.text().strip())
        is_possible = has_folder and not obstacle
        unchanged = self._unchanged()
        for name, card in self._cards.items():
            card.set_estimate(self._estimates.get(name))
            if name not in self._tasks:
                self._show_card(name, unchanged, has_folder)
                card.set_possible(is_possible)
        for widget in (self._folder, self._browse):
            widget.setEnabled(not self._tasks)
        self._all.setEnabled(is_possible and not self._tasks and any(map(self._can_verify, self._cards)))
        # What is being exported needs no explanation why it could not be.
        self._note.setText(obstacle if obstacle and not self._tasks else _INCLUDED)
        self._facts.setText(self._facts_of_run())
        self._facts.setVisible(bool(self._facts.text()))
        self._restore()

    def _restore(self) -> None:
        """Has the files read of which an earlier session said something."""
        if self._run is None or not self._kept:
            return
        keys = [key for name in self._cards if (key := self._key(name)) in self._kept]
        kept = {key: self._kept.pop(key) for key in keys if key not in self._outcomes}
        if kept:
            task = IoTask(partial(_restore_outcomes, self._run, kept), self)
            task.done.connect(self._on_restored)
            task.start()

    def _on_restored(self, found: object) -> None:
        assert isinstance(found, dict)
        for key, outcome in found.items():
            if key[-1] not in self._tasks:
                self._outcomes.setdefault(key, outcome)
        self.refresh()

    def _show_card(self, name: str, unchanged: frozenset[str], has_folder: bool) -> None:
        card, outcome = self._cards[name], self._outcomes.get(self._key(name))
        if outcome is not None and (outcome.result is None or name in unchanged):
            card.show_outcome(outcome)
            return
        # The same files of this run replace nothing.
        written = {file for each in unchanged for file in self._files_of(each)}
        files = [file for file in card.exporter.all_files if file not in written] if has_folder else []
        card.show_idle(join_words([file for file in files if exists(self.target / file)]))

    def _unchanged(self) -> frozenset[str]:
        """The formats whose files are those that were exported from this run into this folder."""
        return frozenset(
            name
            for name in self._cards
            if (outcome := self._outcomes.get(self._key(name))) is not None
            and outcome.stamp is not None
            and outcome.stamp == stamp_of(self.target, self._files_of(name))
        )

    def _files_of(self, name: str) -> tuple[str, ...]:
        """The names of the files that were written in a format; none if it was not exported."""
        outcome = self._outcomes.get(self._key(name))
        result = None if outcome is None else outcome.result
        return () if result is None else tuple(path.name for path in result.files)

    def _facts_of_run(self) -> str:
        notes = [note for name in self._cards for note in self._notes_of(name)]
        return "\n".join(dict.fromkeys(notes))

    def _notes_of(self, name: str) -> tuple[str, ...]:
        outcome = self._outcomes.get(self._key(name))
        return outcome.notes if outcome is not None else ()

    def _key(self, name: str) -> Key:
        return self._run, weights_state(self._run), self.target, name

    def _can_verify(self, name: str) -> bool:
        exporter = self._cards[name].exporter
        return name not in self._tasks and not exporter.obstacle and not exporter.verification_obstacle

    # User input

    def export_all(self) -> None:
        """Exports every format that can be verified here."""
        had_focus = self._all.hasFocus()
        chosen = [name for name in self._cards if self._can_verify(name)]
        for name in chosen:
            self._export(name, True)
        if had_focus and chosen:
            # The button is disabled meanwhile, and would pass the focus on to whatever follows in the window.
            self._cards[chosen[0]].take_focus()

    def _export(self, name: str, verify: bool) -> None:
        if self._run is None or name in self._tasks or self._obstacle:
            return
        card = self._cards[name]
        had_focus = card.has_focus
        key = self._key(name)
        self._outcomes.pop(key, None)
        job = ExportJob(self._run, card.exporter, self.target, verify)
        task = self._session.run_task(
            job,
            partial(self._on_done, name, key),
            lambda message: self._on_done(name, key, FormatOutcome(error=message)),
            card.show_progress,
        )
        self._tasks[name] = task, job
        card.show_waiting()
        if had_focus:
            card.take_focus()
        self.refresh()

    def _on_done(self, name: str, key: Key, outcome: FormatOutcome) -> None:
        card = self._cards[name]
        had_focus = card.has_focus
        self._tasks.pop(name, None)
        self._outcomes[key] = outcome
        self.refresh()
        if had_focus:
            card.take_focus()

    def _on_cancel(self, name: str) -> None:
        task, job = self._tasks.get(name, (None, None))
        if task is None or job is None:
            return
        if job.has_begun:
            # It may be too late: only its end tells what was written.
            job.stop()
            self._cards[name].show_stopping()
        else:
            task.cancel()
            self._on_done(name, self._key(name), CANCELLED)

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export folder", str(self.target))
        if folder:
            self._folder.setText(folder)

    def _on_open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.target)))

    def _on_copy(self, name: str) -> None:
        outcome = self._outcomes.get(self._key(name))
        if outcome is not None and outcome.code:
            QGuiApplication.clipboard().setText(outcome.code)
            self._note.setText(f"Python code for {self._cards[name].exporter.title} is on the clipboard.")


def _restore_outcomes(
    run: Path, kept: Mapping[Key, KeptExport], progress: ProgressFunction, cancelled: CancelFunction
) -> dict[Key, FormatOutcome]:
    """Those of the kept exports whose files and weights are the same as then."""
    found = {key: restore_outcome(run, exporters()[each.format], each) for key, each in kept.items()}
    return {key: outcome for key, outcome in found.items() if outcome is not None}


def _read(run: Path) -> tuple[str, Mapping[str, int]]:
    """The name of the network, and how large each format will be in bytes; none where that is unknown."""
    try:
        opened = Run.open(run)
        sizes = {name: exporter.estimate(opened) for name, exporter in exporters().items()}
        return opened.network.name, sizes
    except UserError:
        return run.name, {}


def _default_folder(title: str) -> Path:
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / class_name(title)
