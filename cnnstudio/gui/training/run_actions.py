"""What can be done with a running training: a step, a late stop, more epochs, another recipe or design."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QInputDialog, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import plural
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.training.recipe.live_changes import ADJUSTABLE, differences

_TRAINS = (State.RUNNING, State.PAUSED)
_MOST_EPOCHS = 10_000


class RunActions(QObject):
    """The actions, and the offers that follow from edits while a run is under way."""

    offered = Signal(object)
    """A Message with what one press would do."""
    failed = Signal(object)
    """A sentence on why an action did nothing."""
    told = Signal(object)
    """A sentence on what will happen."""

    def __init__(self, project: Project, session: TrainingSession, parent: QWidget) -> None:
        super().__init__(parent)
        self._project = project
        self._session = session
        self._window = parent
        self._offered = False
        self.step = self._action("actionStep", "&Make one step", self._session.step, "Shift+F6")
        self.stop_after_epoch = self._action(
            "actionStopAfterEpoch", "Stop after this &epoch", self._on_stop_after_epoch, "Ctrl+F5"
        )
        self.more_epochs = self._action("actionMoreEpochs", "&More epochs…", self._on_more_epochs)
        self.apply_recipe = self._action(
            "actionApplyRecipe", "&Apply the recipe to this run", self._on_apply_recipe
        )
        self.continue_design = self._action(
            "actionContinueDesign", "&Continue with the changed design…", self._on_continue_design
        )
        session.state_changed.connect(self._on_state_changed)
        project.network_changed.connect(self._on_network_changed)
        project.recipe_changed.connect(self._on_recipe_changed)
        self._on_state_changed(session.state)

    @property
    def all(self) -> list[QAction]:
        return [self.step, self.stop_after_epoch, self.more_epochs, self.apply_recipe, self.continue_design]

    def _action(self, name: str, text: str, act: Callable[[], object], keys: str = "") -> QAction:
        action = QAction(text, self._window)
        action.setObjectName(name)
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _checked=False: act())
        return action

    # What follows from the state and from edits

    def _on_state_changed(self, state: object) -> None:
        self._offered = False
        self.step.setEnabled(state in _TRAINS)
        self.stop_after_epoch.setEnabled(state in _TRAINS)
        self.more_epochs.setEnabled(state in _TRAINS)
        self._refresh()

    def _refresh(self) -> None:
        trains = self._session.state in _TRAINS
        self.apply_recipe.setEnabled(trains and bool(self._changes()))
        at_rest = self._session.state is State.IDLE and self._session.run is not None
        self.continue_design.setEnabled((trains or at_rest) and self._design_changed())

    def _changes(self) -> dict[str, object]:
        """Fields that the project's recipe has otherwise than the run's, and that may change now."""
        if self._session.recipe is None:
            return {}
        changed = differences(self._session.recipe, self._project.recipe)
        return {name: getattr(self._project.recipe, name) for name, _, _ in changed if name in ADJUSTABLE}

    def _design_changed(self) -> bool:
        network = self._session.network
        return network is not None and self._project.network.nodes != network.nodes

    def _on_network_changed(self, _: object) -> None:
        self._refresh()
        paused = self._session.state is State.PAUSED
        if paused and self.continue_design.isEnabled() and not self._offered:
            self._offered = True
            sentence = "The paused run keeps the design that it began with."
            self.offered.emit(
                Message(sentence, button="Continue with the changed design…", action=self._on_continue_design)
            )

    def _on_recipe_changed(self, _: object) -> None:
        self._refresh()
        if self.apply_recipe.isEnabled():
            sentence = f"The run goes on with its own recipe. In this one: {self._change_words()}."
            self.offered.emit(Message(sentence, button="Apply to this run", action=self._on_apply_recipe))

    def _change_words(self) -> str:
        if self._session.recipe is None:
            return ""
        names = self._changes()
        return ", ".join(
            f"{name.replace('_', ' ')} {after} instead of {before}"
            for name, before, after in differences(self._session.recipe, self._project.recipe)
            if name in names
        )

    # What the user does

    def _on_stop_after_epoch(self) -> None:
        self._session.stop_after_epoch()
        self.told.emit("The training stops after this epoch.")

    def _on_more_epochs(self) -> None:
        recipe = self._session.recipe
        if recipe is None:
            return
        count, chosen = QInputDialog.getInt(
            self._window, "More epochs", "Epochs to add to this run:", 5, 1, _MOST_EPOCHS
        )
        if chosen:
            self._change(epochs=recipe.epochs + count)
            self.told.emit(f"The run is {plural(count, 'epoch')} longer.")

    def _on_apply_recipe(self) -> None:
        self._change(**self._changes())

    def _change(self, **fields: object) -> None:
        try:
            self._session.change(**fields)
        except UserError as error:
            self.failed.emit(str(error))
        self._refresh()

    def _on_continue_design(self) -> None:
        """Says first what is kept and what starts afresh; then the run goes on."""
        # It needs torch, for the shapes of the weights; a run is under way, so that it is loaded.
        from cnnstudio.training.checkpoints.weight_transfer import carry_over

        before, problems = self._session.network, self._project.analysis.problems
        if before is None:
            return
        if problems:
            self.failed.emit(f"This network cannot be trained yet. {problems[0].sentence}.")
            return
        carried = carry_over(before, self._project.network)
        self.offered.emit(Message(". ".join(carried.lines) + ".", button="Continue", action=self._continue))

    def _continue(self) -> None:
        project = self._project
        self._session.continue_with(project.network, project.dataset_name, project.recipe)
