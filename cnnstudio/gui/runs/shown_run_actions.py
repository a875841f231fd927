"""What one can do with the run on show: the menu Run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.compute.io_task import IoFunction, IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.runs.run_controller import RunController
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.runs.table.run_commands import RunCommands
from cnnstudio.gui.widgets.actions import ActionSet, ActionSpec
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.runs.library.listing import list_summaries
from cnnstudio.runs.library.summary import RunSummary, SummaryReader

_MENU = "Run"
_MAX_ADDED_EPOCHS = 10_000
_BLOCKING_SECONDS = 0.3
"""The time that the window waits for the drive; most respond faster."""


class ShownRunActions(QObject):
    """The actions, and when they are enabled."""

    message = Signal(object)
    """A Message for the user."""
    comparison_requested = Signal(object)
    """The folder of the run to compare with another one."""

    def __init__(
        self,
        shown: ShownRun,
        session: TrainingSession,
        controller: RunController,
        commands: RunCommands,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._shown = shown
        self._session = session
        self._controller = controller
        self._commands = commands
        self._window = window
        signals = (session.state_changed, shown.cursor.run_changed, shown.cursor.live_changed)
        self.action_set = ActionSet(self, SHOWN_RUN_ACTIONS, self, signals)
        self.action_set.add_to(window)

    # When they are enabled

    @property
    def has_design(self) -> bool:
        return bool(self._shown.record.network.nodes)

    @property
    def has_folder(self) -> bool:
        return self._shown.record.folder is not None

    @property
    def has_ended(self) -> bool:
        """Whether there is a run whose files nobody is writing."""
        return self.has_folder and not self._shown.is_live

    @property
    def can_train(self) -> bool:
        return self.has_folder and self._session.state is State.IDLE

    @property
    def is_complete(self) -> bool:
        """Whether it has trained all its epochs."""
        latest, finished = self._shown.follower.latest, self._shown.record.history.finished
        if latest is not None and not self._shown.is_own:
            return latest.status == "completed"
        return finished is not None and finished.outcome == "completed"

    @property
    def can_resume(self) -> bool:
        """Whether it ended before its time."""
        return self.can_train and self.has_ended and not self.is_complete

    @property
    def _trains_here(self) -> bool:
        return self._shown.is_own and self._session.state in (State.RUNNING, State.PAUSED)

    @property
    def can_add_epochs(self) -> bool:
        """Whether it is training here, or has trained all its epochs."""
        return self._trains_here or (self.can_train and self.has_ended and self.is_complete)

    # Callbacks

    def resume(self) -> None:
        self._controller.resume()

    def add_epochs(self) -> None:
        """Makes the training longer, or resumes a run that is complete."""
        recipe = self._session.recipe
        if not self._trains_here or recipe is None:
            self._controller.resume()
            return
        box = NumberBox(
            self._window,
            "Add epochs",
            "Train this run for more epochs?",
            f"The run is currently set to {pluralize(recipe.epochs, 'epoch')}.",
            label="Epochs to add",
            value=5,
            minimum=1,
            maximum=_MAX_ADDED_EPOCHS,
            button="&Add",
            icon="train",
        )
        count = box.ask_number()
        if count is None:
            return
        try:
            self._session.change(epochs=recipe.epochs + count)
        except UserError as error:
            self.message.emit(Message(str(error), is_error=True))
        else:
            self.message.emit(Message(f"Added {pluralize(count, 'epoch')} to the run."))

    def train_another_seed(self) -> None:
        def act(runs: tuple[RunSummary, tuple[RunSummary, ...]]) -> None:
            self._commands.train_another_seed(*runs)

        def read(folder: Path) -> IoFunction:
            # Of the other runs, the seeds that they have taken.
            return lambda progress, cancelled: (
                SummaryReader().read(folder),
                list_summaries(cancelled=cancelled).runs,
            )

        self._read(read, act)

    def compare(self) -> None:
        self.comparison_requested.emit(self._shown.record.folder)

    def open_design(self) -> None:
        self._commands.design_requested.emit(self._shown.record.network)

    def show_folder(self) -> None:
        self._with_summary(self._commands.show_folder)

    def edit_label(self) -> None:
        self._with_summary(self._commands.edit_label)

    def pack(self) -> None:
        self._with_summary(self._commands.pack)

    def delete(self) -> None:
        self._with_summary(lambda run: self._commands.deletion.delete([run]))

    # Reading

    def _with_summary(self, act: Callable[[RunSummary], object]) -> None:
        self._read(lambda folder: lambda progress, cancelled: SummaryReader().read(folder), act)

    def _read(self, read: Callable[[Path], IoFunction], act: Callable[[Any], object]) -> None:
        """Calls `act` with what `read` finds about the run on show, at once if its drive is fast."""
        folder = self._shown.record.folder
        if folder is None:
            return
        task = IoTask(read(folder), self)
        task.done.connect(act)
        task.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        task.start()
        task.wait(_BLOCKING_SECONDS)


SHOWN_RUN_ACTIONS: tuple[ActionSpec[ShownRunActions], ...] = (
    ActionSpec(
        "actionGoOn",
        "&Resume",
        ShownRunActions.resume,
        menu=_MENU,
        tooltip="Resume training from the last checkpoint of a run that was stopped or interrupted",
        enabled=lambda run: run.can_resume,
        separator_before=True,
    ),
    ActionSpec(
        "actionMoreEpochs",
        "More epoc&hs…",
        ShownRunActions.add_epochs,
        menu=_MENU,
        tooltip="Train this run for more epochs, during the training or after it",
        enabled=lambda run: run.can_add_epochs,
    ),
    ActionSpec(
        "actionAnotherSeed",
        "Train again with another &seed",
        ShownRunActions.train_another_seed,
        menu=_MENU,
        tooltip="Train the same design, recipe and images again with another random seed",
        enabled=lambda run: run.can_train,
    ),
    ActionSpec(
        "actionCompareRun",
        "Co&mpare with another run…",
        ShownRunActions.compare,
        menu=_MENU,
        tooltip="Choose another run in the list and show both side by side",
        enabled=lambda run: run.has_folder,
        separator_before=True,
    ),
    ActionSpec(
        "actionOpenRunDesign",
        "Open its &design",
        ShownRunActions.open_design,
        menu=_MENU,
        tooltip="Open the design with which this run was trained",
        enabled=lambda run: run.has_design,
    ),
    ActionSpec(
        "actionOpenRunFolder",
        "Show &folder",
        ShownRunActions.show_folder,
        menu=_MENU,
        tooltip="Open the folder of this run in the file manager",
        enabled=lambda run: run.has_folder,
    ),
    ActionSpec(
        "actionLabelRun",
        "&Title, tags and note…",
        ShownRunActions.edit_label,
        menu=_MENU,
        tooltip="Name this run, and write down what it is for",
        enabled=lambda run: run.has_folder,
        separator_before=True,
    ),
    ActionSpec(
        "actionPackRun",
        "&Pack…",
        ShownRunActions.pack,
        menu=_MENU,
        tooltip="Write this run into one zip file, to hand it over",
        enabled=lambda run: run.has_ended,
    ),
    ActionSpec(
        "actionDeleteRun",
        "De&lete",
        ShownRunActions.delete,
        menu=_MENU,
        tooltip="Move this run to the trash",
        enabled=lambda run: run.has_ended,
    ),
)
