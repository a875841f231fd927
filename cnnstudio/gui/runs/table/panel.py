"""The table of all runs: filtered, sorted and grouped, with what one can do with the chosen ones."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QVBoxLayout, QWidget

from cnnstudio.core.progress import Progress
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.runs.table.act_bar import ActBar
from cnnstudio.gui.runs.table.acts import ACTS, Act
from cnnstudio.gui.runs.table.choices import TableChoices
from cnnstudio.gui.runs.table.column_sets import choose_columns
from cnnstudio.gui.runs.table.head import TableHead, describe_count
from cnnstudio.gui.runs.table.reader import RunsReader
from cnnstudio.gui.runs.table.run_commands import RunCommands
from cnnstudio.gui.runs.table.run_model import RunModel
from cnnstudio.gui.runs.table.run_view import RunView
from cnnstudio.gui.widgets.labels import Label, Line, Panel
from cnnstudio.runs.library.arrangement import Finder, arrange
from cnnstudio.runs.library.columns import Column, column
from cnnstudio.runs.library.listing import RunListing
from cnnstudio.runs.library.summary import RunSummary

_KEY = "runsTable"
_EMPTY = "No runs yet. Press Train (F5), or open a run (Run ▸ Open run…)."
_NOTHING_FOUND = "No run matches the filter. Press Esc to clear it."
_WIDE = 1150
"""The width from which the hint has room beside the buttons."""


class RunsTable(Panel):
    """Lists the runs when it is shown, in a thread, and again whenever one of them changes."""

    run_chosen = Signal(object)
    """The folder of the run to show."""
    compared = Signal(object)
    """The folders of the two runs to compare."""
    overlaid = Signal(object)
    """The folders of the runs whose curves to lay over those of the run on show."""
    closed = Signal()
    """The user is done with the table."""

    def __init__(self, commands: RunCommands, settings: Settings) -> None:
        super().__init__("runsTable")
        self.setAccessibleName("Runs")
        self._commands = commands
        self._settings = settings
        self._listing: RunListing | None = None
        self.runs: tuple[RunSummary, ...] = ()
        """All runs that were listed, whatever the filter, without those that are about to be deleted."""
        choices = TableChoices.from_text(settings.text(_KEY))
        self._query = choices.query
        self._finder = Finder()
        self._reader = RunsReader(self)
        self._needs_reading = False
        self._waiting: RunListing | None = None
        """Listed while the user types a title, which a new list would interrupt."""
        self._goes_to_shown = False
        self._to_choose: Path | None = None
        """The run to choose when the runs have been listed."""
        self.model = RunModel(self)
        self.view = RunView(self.model)
        self.head = TableHead()
        self.head.choose_columns(choices.columns)
        self._state_text = Label("", "content", "secondary", wrap=True)
        self._rows = QStackedWidget()
        self.message_slot = QWidget()
        """Where messages are shown while the table is open: below the rows, of which they cover none."""
        self._acts = ActBar()
        self._compose()
        self._connect()
        self._update_acts()

    # Composition

    def _compose(self) -> None:
        self._state_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._state_text.setObjectName("runsState")
        self._rows.addWidget(self.view)
        self._rows.addWidget(self._state_text)
        self.message_slot.hide()
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(1, 1, 1, 1)
        column_layout.setSpacing(0)
        column_layout.addWidget(self.head)
        column_layout.addWidget(self._rows, 1)
        column_layout.addWidget(self.message_slot)
        column_layout.addWidget(Line())
        column_layout.addWidget(self._acts)

    def _connect(self) -> None:
        self._reader.progressed.connect(self._on_progressed)
        self._reader.listed.connect(self._on_listed)
        self._reader.failed.connect(self._on_failed)
        self._reader.due.connect(self.read)
        self.head.filtered.connect(self._on_filter)
        self.head.entered.connect(self._go_to_rows)
        self.head.grouped.connect(self._on_group_chosen)
        self.head.columns_chosen.connect(self._on_columns_chosen)
        self.head.closed.connect(self.closed)
        self.model.chosen_changed.connect(self._on_chosen_changed)
        self.model.renamed.connect(lambda change: self._commands.rename(*change))
        self.view.opened.connect(self._on_opened)
        self.view.group_toggled.connect(self._on_group_toggled)
        self.view.sorted_by.connect(self._on_sorted)
        self.view.search_requested.connect(self.head.focus_filter)
        self.view.deleted.connect(lambda: self._do(ACTS[-1]))
        self.view.menu_requested.connect(self._on_menu_requested)
        self.view.resized.connect(self._on_resized)
        self.view.selectionModel().currentRowChanged.connect(lambda *_: self._update_acts())
        self._acts.pressed.connect(self._do)
        self.view.editing_ended.connect(self._on_editing_ended)
        self._commands.changed.connect(self.read)
        self._commands.deletion.pending_changed.connect(self._on_pending_changed)
        self._commands.training_started.connect(self.closed)

    # What is shown

    def show_as_current(self, folder: Path | None) -> None:
        """Marks the run that the window shows, and goes to it, if need be as soon as it is listed."""
        self.mark_shown(folder)
        self._goes_to_shown = True

    def mark_shown(self, folder: Path | None) -> None:
        """Marks the run that the window shows now."""
        self.view.shown_folder = folder
        self.view.viewport().update()

    def choose_alone(self, folder: Path) -> None:
        """Chooses one run and no other, as soon as it is listed."""
        self._to_choose = folder
        if not self._reader.is_reading:
            self._choose_wanted()

    def _choose_wanted(self) -> None:
        folder, self._to_choose = self._to_choose, None
        wanted = [run for run in self.runs if run.folder == folder]
        if wanted:
            self.model.choose_only(wanted)

    def _leave_out_hidden(self) -> None:
        """Updates `runs`."""
        listed = () if self._listing is None else self._listing.runs
        hidden = self._commands.deletion.hidden
        self.runs = tuple(run for run in listed if run.folder not in hidden) if hidden else listed

    def read(self) -> None:
        """Lists the runs anew, once they are on show; what is shown stays until then."""
        if not self.isVisible():
            self._needs_reading = True
            return
        self._needs_reading = False
        self.head.stop()
        self._reader.read()
        if self._listing is None:
            self._show_state("Reading the runs…")

    def close_tasks(self) -> None:
        """Ends what is read in the background."""
        self.head.stop()
        self._reader.stop()

    def _on_progressed(self, progress: object) -> None:
        assert isinstance(progress, Progress)
        self.head.show_count(f"{progress.text}…")
        if self._listing is None:
            self._show_state(f"{progress.text}…")

    def _on_failed(self, message: object) -> None:
        if self._listing is None:
            self._show_state(str(message))

    def _on_listed(self, listing: object) -> None:
        assert isinstance(listing, RunListing)
        if self.view.is_editing:
            self._waiting = listing
            return
        is_first, self._listing = self._listing is None, listing
        self._finder = Finder()
        self._leave_out_hidden()
        self.view.measure(listing.runs)
        group = self.head.list_groups(listing.differing, self._query.group)
        self._query = dataclasses.replace(self._query, group=group)
        self._arrange()
        if self._goes_to_shown and self.model.arrangement.rows:
            self._go_to(self.view.shown_folder)
        self._goes_to_shown = False
        if is_first and self.model.arrangement.rows and not self.head.filter_text:
            self._go_to_rows()
        self._choose_wanted()
        if any(run.is_running for run in listing.runs) and self.isVisible():
            self._reader.be_due_later()

    def _on_editing_ended(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._on_listed(waiting)

    def _on_pending_changed(self) -> None:
        self._leave_out_hidden()
        if self._listing is not None and not self.view.is_editing:
            self._arrange()

    def _show_state(self, text: str) -> None:
        """Shows a sentence in place of the rows; an empty one shows the rows."""
        self._state_text.setText(text)
        has_focus = self.view.hasFocus()
        self._rows.setCurrentWidget(self._state_text if text else self.view)
        if has_focus and text:
            self.head.focus_filter()

    # Rows

    def _arrange(self) -> None:
        """Shows the rows for the present query, and keeps the focus on its run."""
        before, number = self.view.current_run(), self.view.currentIndex().row()
        arrangement = arrange(self.runs, self._query, self._finder)
        columns = self._columns(arrangement.runs)
        is_ascending = column(self._query.sort).best_first == self._query.is_reversed
        self.model.show(arrangement, columns, self._query.sort, is_ascending)
        self.view.arrange_columns()
        if not self.runs:
            self._show_state(_EMPTY)
        else:
            self._show_state("" if arrangement.rows else _NOTHING_FOUND)
        row = self.model.row_of(before.folder) if before is not None else None
        if arrangement.rows and number >= 0:
            self.view.go_to(row if row is not None else min(number, len(arrangement.rows) - 1))
        self._update_count()
        self._update_acts()

    def _columns(self, runs: tuple[RunSummary, ...]) -> list[Column]:
        which, fit = self.head.column_set, self.view.fitting_columns
        return choose_columns(which, self._listing or RunListing(), runs, self._query.group, fit)

    def _on_resized(self) -> None:
        self._acts.show_hint(self.width() >= _WIDE)
        if not self._listing or self.view.is_editing:
            return
        columns = self._columns(self.model.arrangement.runs)
        if [each.key for each in columns] != [each.key for each in self.model.columns]:
            self._arrange()
        else:
            self.view.arrange_columns()

    def _update_count(self) -> None:
        if self._listing is not None:
            found, chosen = self.model.arrangement.runs, len(self.model.chosen)
            self.head.show_count(describe_count(len(self.runs), found, chosen, self._listing.problems))

    # Filter, order, groups

    def _on_filter(self) -> None:
        self._query = dataclasses.replace(self._query, text=self.head.filter_text)
        self._arrange()

    def _on_sorted(self, key: object) -> None:
        assert isinstance(key, str)
        is_same = key == self._query.sort
        self._query = dataclasses.replace(
            self._query, sort=key, is_reversed=is_same and not self._query.is_reversed
        )
        self._remember()
        self._arrange()

    def _on_group_chosen(self, group: object) -> None:
        assert isinstance(group, str)
        self._query = dataclasses.replace(self._query, group=group, collapsed=frozenset())
        self._remember()
        self._arrange()

    def _on_columns_chosen(self) -> None:
        self._remember()
        self._arrange()

    def _remember(self) -> None:
        """Keeps the order, the groups and the columns for the next window."""
        choices = TableChoices(
            self._query.sort, self._query.is_reversed, self._query.group, self.head.column_set
        )
        self._settings.set_text(_KEY, choices.to_text())

    def _on_group_toggled(self, key: object) -> None:
        assert isinstance(key, str)
        self._query = dataclasses.replace(self._query, collapsed=self._query.collapsed ^ {key})
        self._arrange()

    # Acts

    @property
    def targets(self) -> tuple[RunSummary, ...]:
        """The runs to act on: those that are chosen, or else the one with the focus."""
        current = self.view.current_run()
        return self.model.chosen or (() if current is None else (current,))

    def _on_chosen_changed(self) -> None:
        self._update_count()
        self._update_acts()
        self.view.viewport().update()

    def _can(self, act: Act) -> bool:
        return act.is_possible(self.targets) and (self._commands.can_train or not act.trains)

    def _update_acts(self) -> None:
        self._acts.show_possible(self._can, len(self.model.chosen))

    def _do(self, act: Act) -> None:
        if not self._can(act):
            return
        runs = self.targets
        match act.name:
            case "compareRuns":
                self.compared.emit((runs[0].folder, runs[1].folder))
            case "showInCurves":
                self.overlaid.emit(tuple(run.folder for run in runs))
            case "anotherSeed":
                self._commands.train_another_seed(runs[0], self.runs)
            case "startFromRun":
                self._commands.start_wanted.emit(runs[0].folder)
            case "openRunDesign":
                self._commands.open_design(runs[0])
            case "resumeRun":
                self._commands.resume(runs[0])
            case "packRun":
                self._commands.pack(runs[0])
            case "showRunFolder":
                self._commands.show_folder(runs[0])
            case "deleteRuns":
                self._commands.deletion.delete(runs)

    def _on_opened(self, run: object) -> None:
        assert isinstance(run, RunSummary)
        self.run_chosen.emit(run.folder)

    def _on_menu_requested(self, place: object) -> None:
        assert isinstance(place, QPoint)
        menu, current = QMenu(self), self.view.current_run()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if current is not None:
            menu.addAction("Show", partial(self.run_chosen.emit, current.folder))
            menu.addAction("Title, tags and note…", partial(self._commands.edit_label, current))
            menu.addSeparator()
        for act in ACTS:
            if act.in_menu and self._can(act):
                menu.addAction(act.title, partial(self._do, act))
        menu.popup(place)

    # Focus

    def focus_rows(self) -> None:
        """Moves the focus to the row of the run that the window shows."""
        self._go_to_rows()
        self._go_to(self.view.shown_folder)

    def _go_to(self, folder: Path | None) -> None:
        number = self.model.row_of(folder) if folder is not None else None
        if self.model.arrangement.rows:
            self.view.go_to(number if number is not None else 0)

    def _go_to_rows(self) -> None:
        if self._rows.currentWidget() is self.view:
            self.view.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.head.focus_filter()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.read()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.close_tasks()

    def event(self, event: QEvent) -> bool:
        # While a deletion can be undone, Ctrl+Z undoes that and not an edit of the design.
        is_undo = isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Undo)
        if event.type() is QEvent.Type.ShortcutOverride and is_undo and self._commands.deletion.pending:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Undo) and self._commands.deletion.pending:
            self._commands.deletion.undo()
        elif event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.head.filter_text:
            # One level back: from the filter to the rows, with all of them.
            self.head.clear_filter()
            self._go_to_rows()
        else:
            self.closed.emit()
