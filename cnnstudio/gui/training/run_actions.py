"""Actions on the training: run one step, stop after the epoch, apply a changed recipe or design."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.problem_message import problem_message
from cnnstudio.gui.training.start_from.choice import StartFrom
from cnnstudio.gui.widgets.actions import ActionSet, ActionSpec
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.training.recipe.live_changes import CHANGEABLE_WHILE_TRAINING, differences

_TRAINING_STATES = (State.RUNNING, State.PAUSED)


class RunActions(QObject):
    """The actions, and what is offered when the design or recipe is edited during a run."""

    message = Signal(object)
    """A Message: an offer that suits an edit, what an action did, or why it failed."""

    def __init__(self, project: Project, session: TrainingSession, parent: QWidget) -> None:
        super().__init__(parent)
        self._project = project
        self._session = session
        self.start = StartFrom(project, session, parent)
        self.start.message.connect(self.message)
        signals = (session.state_changed, project.network_changed, project.recipe_changed)
        self.action_set = ActionSet(self, RUN_ACTIONS, self, signals)
        project.network_changed.connect(self._on_network_changed)
        project.recipe_changed.connect(self._on_recipe_changed)

    # When they are enabled

    @property
    def is_training(self) -> bool:
        return self._session.state in _TRAINING_STATES

    @property
    def can_apply_recipe(self) -> bool:
        """Whether the project's recipe differs from the run's in fields that can change during a run."""
        return self.is_training and bool(self._changes())

    @property
    def can_continue_design(self) -> bool:
        """Whether the project's design differs from that of the current or last run."""
        is_idle = self._session.state is State.IDLE and self._session.run is not None
        return (self.is_training or is_idle) and self._design_changed()

    # Reactions to edits

    def _changes(self) -> dict[str, object]:
        """The recipe fields that differ from the run's and can change during a run, with their new values."""
        if self._session.recipe is None:
            return {}
        recipe = self._project.recipe
        changed = [name for name, _, _ in differences(self._session.recipe, recipe)]
        return {name: getattr(recipe, name) for name in changed if name in CHANGEABLE_WHILE_TRAINING}

    def _design_changed(self) -> bool:
        network = self._session.network
        return network is not None and self._project.network.nodes != network.nodes

    def _on_network_changed(self, _: object) -> None:
        # With each edit: who has closed the offer may want it after the next one.
        if self._offers_design:
            self.message.emit(
                Message(
                    "The paused run still uses the original design.",
                    button="Continue with changed design…",
                    action=self.continue_design,
                    holds=lambda: self._offers_design,
                )
            )

    @property
    def _offers_design(self) -> bool:
        return self._session.state is State.PAUSED and self.can_continue_design

    def _on_recipe_changed(self, _: object) -> None:
        if self.can_apply_recipe:
            text = f"The current run still uses its original recipe. You changed: {self._describe_changes()}."
            self.message.emit(
                Message(
                    text,
                    button="Apply to this run",
                    action=self.apply_recipe,
                    holds=lambda: self.can_apply_recipe,
                )
            )

    def _describe_changes(self) -> str:
        if self._session.recipe is None:
            return ""
        names = self._changes()
        return ", ".join(
            f"{name.replace('_', ' ')} from {before} to {after}"
            for name, before, after in differences(self._session.recipe, self._project.recipe)
            if name in names
        )

    # Callbacks

    def run_one_step(self) -> None:
        self._session.step()

    def stop_after_epoch(self) -> None:
        self._session.stop_after_epoch()
        text = "Training will stop after this epoch."
        self.message.emit(Message(text, holds=lambda: self.is_training))

    def apply_recipe(self) -> None:
        self._change(**self._changes())

    def _change(self, **fields: object) -> None:
        try:
            self._session.change(**fields)
        except UserError as error:
            self.message.emit(Message(str(error), is_error=True))
        self.action_set.refresh()

    def continue_design(self) -> None:
        """Offers a new run with the changed design, and says which layers keep their weights."""
        # This imports torch; there has been a run, so torch is loaded already.
        from cnnstudio.training.checkpoints.weight_transfer import plan_transfer

        before, problems = self._session.network, self._project.analysis.problems
        if before is None:
            return
        if problems:
            self.message.emit(problem_message(self._project, problems[0]))
            return
        transfer = plan_transfer(before, self._project.network)
        network = self._project.network
        self.message.emit(
            Message(
                ". ".join(transfer.lines) + ".",
                button="Continue",
                action=self._continue,
                holds=lambda: self._project.network is network,
            )
        )

    def _continue(self) -> None:
        project = self._project
        self._session.continue_with(project.network, project.dataset_name, project.recipe)

    @property
    def is_idle(self) -> bool:
        return self._session.state is State.IDLE

    @property
    def can_start_from_run(self) -> bool:
        return self.is_idle and self._session.run is not None

    def start_from(self) -> None:
        """Opens the dialog in which the weights are chosen that the next training starts from."""
        self.start.ask()

    def start_from_run(self) -> None:
        """The same with the last run chosen."""
        self.start.ask(self._session.run)


RUN_ACTIONS: tuple[ActionSpec[RunActions], ...] = (
    ActionSpec(
        "actionStep",
        "Run &one step",
        RunActions.run_one_step,
        menu="Train",
        tooltip="Train on one batch, then pause",
        shortcuts=("Shift+F9",),
        enabled=lambda run: run.is_training,
    ),
    ActionSpec(
        "actionStopAfterEpoch",
        "Stop after this &epoch",
        RunActions.stop_after_epoch,
        menu="Train",
        tooltip="Finish the current epoch, then stop",
        shortcuts=("Ctrl+F5",),
        enabled=lambda run: run.is_training,
    ),
    ActionSpec(
        "actionApplyRecipe",
        "&Apply recipe to this run",
        RunActions.apply_recipe,
        menu="Train",
        tooltip="Use the changed recipe settings from the next step on",
        enabled=lambda run: run.can_apply_recipe,
    ),
    ActionSpec(
        "actionContinueDesign",
        "&Continue with changed design…",
        RunActions.continue_design,
        menu="Run",
        tooltip="Start a new run with the changed design, keeping the weights of layers that still fit",
        enabled=lambda run: run.can_continue_design,
    ),
    ActionSpec(
        "actionStartFrom",
        "Start from &weights…",
        RunActions.start_from,
        menu="Train",
        tooltip="Choose what the next training starts from: pretrained weights, any run or a file",
        enabled=lambda run: run.is_idle,
    ),
    ActionSpec(
        "actionStartFromRun",
        "Start from last run’s wei&ghts…",
        RunActions.start_from_run,
        menu="Train",
        tooltip="Choose the last run’s weights for the next training to start from",
        enabled=lambda run: run.can_start_from_run,
    ),
)
