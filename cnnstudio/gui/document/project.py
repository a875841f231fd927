"""The open design, with its data set and recipe. All panels show and edit it, independent of each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from cnnstudio.core.errors import UserError
from cnnstudio.design.analysis.analysis import Analysis, LayerReport, analyze
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.training.recipe.built_in import RECIPES
from cnnstudio.training.recipe.recipe import Recipe

UNDO_STEPS = 500
"""The number of edits that can be undone. Each keeps its network with its index, so it must be limited."""

_MERGING = 1
"""The command id with which QUndoStack tries to merge two commands."""


@dataclass(frozen=True)
class ProjectState:
    """Everything that undo restores, except for the selection.

    Undo restores the data set only if the step changed it: choosing one is not a step.
    """

    network: Network
    recipe: Recipe
    dataset_name: str


_DesignFile = tuple[Path | None, Network | None]
"""The file of a design, and what it contains; None if there is none."""


@dataclass(frozen=True)
class Question:
    """A question to the user, and the action to run if it is confirmed."""

    text: str
    button: str
    action: Callable[[], object]


@dataclass(frozen=True)
class _DatasetInfo:
    title: str
    classes: int | None
    image_shape: Shape | None = None


class Project(QObject):
    """The open design: network, analysis, selection, data set, recipe, file and undo stack."""

    network_changed = Signal(object)
    """The new Network."""
    analysis_changed = Signal(object)
    """The new Analysis, after every change of the network or of the number of classes."""
    selection_changed = Signal(object)
    """The ids of the selected layers, a tuple. Also emitted when the input row is selected or deselected."""
    dataset_changed = Signal(object)
    """The name of the data set. Also emitted when its number of classes or title becomes known."""
    recipe_changed = Signal(object)
    """The new Recipe."""
    file_changed = Signal(object)
    """The Path or None. Also emitted when `is_modified` changes."""
    opening = Signal(object)
    """The Path or None of another design, just before it replaces the current one."""
    message = Signal(object)
    """A message for the user, such as why an edit is not possible."""
    question = Signal(object)
    """A Question, such as whether to paste a very large number of layers."""

    def __init__(self, network: Network | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = ProjectState(
            Network() if network is None else network, next(iter(RECIPES.values())), ""
        )
        self._datasets: dict[str, _DatasetInfo] = {}
        self._analysis = analyze(self._state.network)
        self._selection: tuple[str, ...] = ()
        self._input_selected = False
        self._path: Path | None = None
        self._saved: Network | None = self._state.network
        self._emitted_is_modified = False
        self._wants_to_train = False
        """Whether training was asked for since the network has changed."""
        self.is_stepping = False
        """Whether a step is being done, undone or redone: who edits then would mix up the steps."""
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(UNDO_STEPS)

    @property
    def network(self) -> Network:
        return self._state.network

    @property
    def analysis(self) -> Analysis:
        """The analysis of the current network; it is up to date before any signal is emitted."""
        return self._analysis

    def is_error(self, problem: Problem) -> bool:
        """Whether to show a problem as an error. If something is only missing yet, not before training."""
        return not problem.missing or self._wants_to_train

    def error_of(self, report: LayerReport) -> Problem | None:
        """The layer's problem if it is an error."""
        return report.problem if report.problem is not None and self.is_error(report.problem) else None

    def hint_of(self, report: LayerReport) -> Problem | None:
        """The layer's problem if it is no error, but a hint at what is still missing."""
        return None if self.error_of(report) is not None else report.problem

    def insist_on_problems(self) -> None:
        """Shows what is missing as errors until the network changes: training was asked for."""
        if self._analysis.problems and not self._wants_to_train:
            self._wants_to_train = True
            self.analysis_changed.emit(self._analysis)

    @property
    def recipe(self) -> Recipe:
        return self._state.recipe

    @property
    def dataset_name(self) -> str:
        """The name of the data set in `data.sources`; empty if none is chosen."""
        return self._state.dataset_name

    @property
    def dataset_title(self) -> str:
        """The title of the data set, or its name if the title is not known."""
        known = self._datasets.get(self.dataset_name)
        return (known.title if known else "") or self.dataset_name

    @property
    def classes(self) -> int | None:
        """The number of classes of the data set, if known."""
        known = self._datasets.get(self.dataset_name)
        return known.classes if known else None

    @property
    def image_shape(self) -> Shape | None:
        """C × H × W of the images of the data set, if known."""
        known = self._datasets.get(self.dataset_name)
        return known.image_shape if known else None

    @property
    def selection(self) -> tuple[str, ...]:
        """The ids of the selected layers, from top to bottom."""
        return self._selection

    @property
    def input_selected(self) -> bool:
        """Whether the row of the network's input is selected."""
        return self._input_selected

    @property
    def path(self) -> Path | None:
        """The file that the design was read from or written to."""
        return self._path

    @property
    def saved_network(self) -> Network | None:
        """The network as it was read or written last; None if it never was."""
        return self._saved

    @property
    def is_modified(self) -> bool:
        """Whether the network differs from the saved one. Recipe and data set are not part of the file."""
        return self.network is not self._saved and self.network != self._saved

    def edit(
        self,
        text: str,
        network: Network,
        *,
        select: Iterable[str] | None = None,
        recipe: Recipe | None = None,
        dataset: str | None = None,
        merge: Hashable | None = None,
        is_another: bool = False,
    ) -> None:
        """Replaces the network, as one undo step; the text `move Conv2D` appears as `Undo move Conv2D`.

        `select` holds the ids of the layers to select afterwards; `recipe` also replaces the recipe, and
        `dataset` the data set. Consecutive edits with the same `merge` key become one step. With
        `is_another` the network is not what the file has become: it has no file yet, and undo restores that.
        """
        selection = self._selection if select is None else tuple(select)
        state = dataclasses.replace(
            self._state,
            network=network,
            recipe=recipe or self.recipe,
            dataset_name=dataset or self.dataset_name,
        )
        self._push(text, state, selection, merge, is_another=is_another)

    def set_recipe(self, recipe: Recipe, *, merge: Hashable | None = None) -> None:
        """Replaces the recipe; one undo step."""
        text = "choose recipe" if recipe.name != self.recipe.name else "change recipe"
        self._push(text, dataclasses.replace(self._state, recipe=recipe), self._selection, merge)

    def set_dataset(
        self, name: str, classes: int | None, title: str = "", image_shape: Shape | None = None
    ) -> None:
        """Chooses the data set, which is no undo step; with the current name, updates what is known of it.

        With the classes, the shape of the images stays known until another one is.
        """
        before = self._datasets.get(name, _DatasetInfo("", None))
        shape = image_shape or (before.image_shape if classes is not None else None)
        known = _DatasetInfo(title or before.title, classes, shape)
        is_new = self._datasets.get(name) != known
        self._datasets[name] = known
        if name != self.dataset_name:
            self._set_state(dataclasses.replace(self._state, dataset_name=name), self._selection)
        elif is_new:
            self._analyze()
            self.dataset_changed.emit(name)

    def undo_recipe(self) -> None:
        """Undoes the last step if it is one of the recipe, for where nothing but the recipe is seen."""
        self._step_if_of_recipe(self.undo_stack.index() - 1, self.undo_stack.undo)

    def redo_recipe(self) -> None:
        """The same for redo."""
        self._step_if_of_recipe(self.undo_stack.index(), self.undo_stack.redo)

    def _step_if_of_recipe(self, index: int, step: Callable[[], object]) -> None:
        command = self.undo_stack.command(index)
        if isinstance(command, _Change) and command.is_of_recipe:
            step()

    def select(self, ids: Iterable[str]) -> None:
        """Selects layers; ids that are not in the network are ignored."""
        self._set_selection(ids, False)

    def select_input(self) -> None:
        """Selects the input row instead of layers."""
        self._set_selection((), True)

    def run_command(self, command: Callable[[], object]) -> bool:
        """Runs a command; if it raises UserError, shows its message and returns False."""
        try:
            command()
        except UserError as error:
            self.message.emit(str(error))
            return False
        return True

    def open_network(self, network: Network, path: Path | None, *, is_saved: bool = True) -> None:
        """Replaces the design with another one, read from `path`, and clears the undo stack.

        Without `is_saved` it counts as modified until it is saved.
        """
        self.opening.emit(path)
        self.undo_stack.clear()
        self._path = path
        self._saved = network if is_saved else None
        self._input_selected = False
        self._set_state(dataclasses.replace(self._state, network=network), ())
        self._emit_file_changed()

    def mark_saved(self, path: Path) -> None:
        """Marks the current design as saved to the file."""
        self._path = path
        self._saved = self.network
        self.undo_stack.setClean()
        self._emit_file_changed()

    def _push(
        self,
        text: str,
        state: ProjectState,
        selection: tuple[str, ...],
        merge: Hashable | None,
        *,
        is_another: bool = False,
    ) -> None:
        if state == self._state:
            self.select(selection)
            return
        before, after = (self._state, self._selection), (state, selection)
        self.undo_stack.push(_Change(self, text, before, after, merge, is_another=is_another))

    def _set_state(
        self, state: ProjectState, selection: Iterable[str], file: _DesignFile | None = None
    ) -> None:
        """Sets the current state, and the file if it is another. Signals are emitted only after everything is
        consistent.
        """
        if file is not None:
            self._path, self._saved = file
        old, self._state = self._state, state
        recipe_changed, dataset_changed = state.recipe != old.recipe, state.dataset_name != old.dataset_name
        network_changed = state.network is not old.network
        if network_changed:
            self._wants_to_train = False
        if network_changed or dataset_changed:
            self._analysis = analyze(state.network, self._analysis, classes=self.classes)
        selection_changed = self._replace_selection(selection, self._input_selected)
        if network_changed:
            self.network_changed.emit(state.network)
        if network_changed or dataset_changed:
            self.analysis_changed.emit(self._analysis)
        if dataset_changed:
            self.dataset_changed.emit(state.dataset_name)
        if recipe_changed:
            self.recipe_changed.emit(state.recipe)
        if selection_changed:
            self.selection_changed.emit(self._selection)
        if file is not None or self.is_modified != self._emitted_is_modified:
            self._emit_file_changed()

    def _analyze(self) -> None:
        self._analysis = analyze(self.network, self._analysis, classes=self.classes)
        self.analysis_changed.emit(self._analysis)

    def _set_selection(self, ids: Iterable[str], input_selected: bool) -> None:
        if self._replace_selection(ids, input_selected):
            self.selection_changed.emit(self._selection)

    def _replace_selection(self, ids: Iterable[str], input_selected: bool) -> bool:
        """Selects the ids that exist, or the input; returns whether the selection changed."""
        before = (self._selection, self._input_selected)
        self._selection = self._in_list_order({node_id for node_id in ids if node_id in self.network})
        self._input_selected = input_selected and not self._selection
        return before != (self._selection, self._input_selected)

    def _in_list_order(self, ids: set[str]) -> tuple[str, ...]:
        if len(ids) < 2:
            return tuple(ids)
        return tuple(node.id for node in self.network.walk() if node.id in ids)

    def _emit_file_changed(self) -> None:
        self._emitted_is_modified = self.is_modified
        self.file_changed.emit(self._path)


class _Change(QUndoCommand):
    """An undo step: the states before and after, each with its selection."""

    def __init__(
        self,
        project: Project,
        text: str,
        before: tuple[ProjectState, tuple[str, ...]],
        after: tuple[ProjectState, tuple[str, ...]],
        merge: Hashable | None,
        *,
        is_another: bool = False,
    ) -> None:
        super().__init__(text)
        self._project = project
        self._before = before
        self._after = after
        self._merge = merge
        self._other_file: _DesignFile | None = (None, None) if is_another else None
        """That of the design that is not shown: after a step to another design, of the one before."""

    def id(self) -> int:
        return -1 if self._merge is None else _MERGING

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _Change) or other._merge != self._merge:
            return False
        self._after = other._after
        self.setObsolete(self._after[0] == self._before[0])
        return True

    @property
    def is_of_recipe(self) -> bool:
        """Whether it changes nothing but the recipe."""
        before, after = self._before[0], self._after[0]
        return before == dataclasses.replace(after, recipe=before.recipe)

    def undo(self) -> None:
        self._set(*self._before, instead_of=self._after[0])

    def redo(self) -> None:
        self._set(*self._after, instead_of=self._before[0])

    def _set(self, state: ProjectState, selection: tuple[str, ...], instead_of: ProjectState) -> None:
        if state.dataset_name == instead_of.dataset_name:
            state = dataclasses.replace(state, dataset_name=self._project.dataset_name)
        file = self._other_file
        if file is not None:
            self._other_file = self._project.path, self._project.saved_network
        self._project.is_stepping = True
        try:
            self._project._set_state(state, selection, file)
        finally:
            self._project.is_stepping = False
