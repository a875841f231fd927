"""The open design, and what to train it with. Every panel shows it and edits it; no panel knows another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from cnnstudio.core.errors import UserError
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.network import Network
from cnnstudio.training.recipe.recipe import RECIPES, Recipe

UNDO_STEPS = 500
"""Edits that can be undone. Each keeps the index of its network, so there has to be an end."""

_MERGING = 1
"""The command id that lets QUndoStack ask whether two commands are one step."""


@dataclass(frozen=True)
class State:
    """Everything that undo brings back."""

    network: Network
    recipe: Recipe
    dataset_name: str


@dataclass(frozen=True)
class Question:
    """Something that the user should decide before it is done, and what would be done."""

    sentence: str
    button: str
    action: Callable[[], object]


@dataclass(frozen=True)
class _DataSet:
    title: str
    classes: int | None


class Project(QObject):
    """The open design: network, analysis, selection, data set, recipe, file, and the undo stack over all."""

    network_changed = Signal(object)
    """The new Network."""
    analysis_changed = Signal(object)
    """The new Analysis: after every change of the network, and where the number of classes became another."""
    selection_changed = Signal(object)
    """The ids of the selected layers, a tuple. Also sent where the input row was selected or left."""
    dataset_changed = Signal(object)
    """The name of the data set. Also sent where its classes or title became known."""
    recipe_changed = Signal(object)
    """The new Recipe."""
    file_changed = Signal(object)
    """The Path or None. Also sent where the design became modified, or is so no longer."""
    opening = Signal(object)
    """The Path or None of another design, before it is shown in place of the present one."""
    message = Signal(object)
    """A sentence for the user, such as why an edit is not possible."""
    question = Signal(object)
    """A Question, such as whether very many layers are to be pasted."""

    def __init__(self, network: Network | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = State(Network() if network is None else network, next(iter(RECIPES.values())), "")
        self._datasets: dict[str, _DataSet] = {}
        self._analysis = analyze(self._state.network)
        self._selection: tuple[str, ...] = ()
        self._input_selected = False
        self._path: Path | None = None
        self._saved = self._state.network
        self._shown_as_modified = False
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(UNDO_STEPS)

    @property
    def network(self) -> Network:
        return self._state.network

    @property
    def analysis(self) -> Analysis:
        """Of the network as it is; already current when a signal arrives."""
        return self._analysis

    @property
    def recipe(self) -> Recipe:
        return self._state.recipe

    @property
    def dataset_name(self) -> str:
        """As `data.sources` knows it; empty where none is chosen."""
        return self._state.dataset_name

    @property
    def dataset_title(self) -> str:
        """The data set as people call it; its name where no title is known."""
        known = self._datasets.get(self.dataset_name)
        return (known.title if known else "") or self.dataset_name

    @property
    def classes(self) -> int | None:
        """Of the data set, where that is known."""
        known = self._datasets.get(self.dataset_name)
        return known.classes if known else None

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
    def is_modified(self) -> bool:
        """Whether the network differs from the one in the file, which holds neither recipe nor data set."""
        return self.network is not self._saved and self.network != self._saved

    def edit(
        self,
        text: str,
        network: Network,
        *,
        select: Iterable[str] | None = None,
        recipe: Recipe | None = None,
        merge: Hashable | None = None,
    ) -> None:
        """Makes `network` the design, as one undo step; `text` "move Conv2D" gives "Undo move Conv2D".

        `select` are the layers to select afterwards, `recipe` is what to train it with from now on. Edits in
        a row with the same `merge` become one step.
        """
        selection = self._selection if select is None else tuple(select)
        state = dataclasses.replace(self._state, network=network, recipe=recipe or self.recipe)
        self._push(text, state, selection, merge)

    def set_recipe(self, recipe: Recipe, *, merge: Hashable | None = None) -> None:
        """Chooses what to train with; one undo step."""
        text = "choose recipe" if recipe.name != self.recipe.name else "change recipe"
        self._push(text, dataclasses.replace(self._state, recipe=recipe), self._selection, merge)

    def set_dataset(self, name: str, classes: int | None, title: str = "") -> None:
        """Chooses the data set; one undo step. The same name again tells more about it and is no step."""
        known = _DataSet(title or self._datasets.get(name, _DataSet("", None)).title, classes)
        news = self._datasets.get(name) != known
        self._datasets[name] = known
        if name != self.dataset_name:
            self._push(
                "choose data set", dataclasses.replace(self._state, dataset_name=name), self._selection, None
            )
        elif news:
            self._analyze()
            self.dataset_changed.emit(name)

    def select(self, ids: Iterable[str]) -> None:
        """Selects layers; those that the network does not have are left out."""
        self._set_selection(ids, False)

    def select_input(self) -> None:
        """Selects the row of the network's input instead of layers."""
        self._set_selection((), True)

    def attempt(self, command: Callable[[], None]) -> bool:
        """Carries out a command. Where it makes no sense the user is told why, and False comes back."""
        try:
            command()
        except UserError as error:
            self.message.emit(str(error))
            return False
        return True

    def open_network(self, network: Network, path: Path | None) -> None:
        """Shows another design, as read from `path`; there is nothing to undo then."""
        self.opening.emit(path)
        self.undo_stack.clear()
        self._path = path
        self._saved = network
        self._input_selected = False
        self._show(dataclasses.replace(self._state, network=network), ())
        self._tell_file()

    def mark_saved(self, path: Path) -> None:
        """Remembers that the design as it is stands in the file."""
        self._path = path
        self._saved = self.network
        self.undo_stack.setClean()
        self._tell_file()

    def _push(self, text: str, state: State, selection: tuple[str, ...], merge: Hashable | None) -> None:
        if state == self._state:
            self.select(selection)
            return
        self.undo_stack.push(_Change(self, text, (self._state, self._selection), (state, selection), merge))

    def _show(self, state: State, selection: Iterable[str]) -> None:
        """Makes a state the current one, and only then tells everybody what of it is new."""
        old, self._state = self._state, state
        recipe_is_new, dataset_is_new = state.recipe != old.recipe, state.dataset_name != old.dataset_name
        network_is_new = state.network is not old.network
        if network_is_new or dataset_is_new:
            self._analysis = analyze(state.network, self._analysis, classes=self.classes)
        selection_is_new = self._replace_selection(selection, self._input_selected)
        if network_is_new:
            self.network_changed.emit(state.network)
        if network_is_new or dataset_is_new:
            self.analysis_changed.emit(self._analysis)
        if dataset_is_new:
            self.dataset_changed.emit(state.dataset_name)
        if recipe_is_new:
            self.recipe_changed.emit(state.recipe)
        if selection_is_new:
            self.selection_changed.emit(self._selection)
        if self.is_modified != self._shown_as_modified:
            self._tell_file()

    def _analyze(self) -> None:
        self._analysis = analyze(self.network, self._analysis, classes=self.classes)
        self.analysis_changed.emit(self._analysis)

    def _set_selection(self, ids: Iterable[str], input_selected: bool) -> None:
        if self._replace_selection(ids, input_selected):
            self.selection_changed.emit(self._selection)

    def _replace_selection(self, ids: Iterable[str], input_selected: bool) -> bool:
        """Selects what there is of `ids`, or the input; says whether that is something else than before."""
        before = (self._selection, self._input_selected)
        self._selection = self._in_list_order({node_id for node_id in ids if node_id in self.network})
        self._input_selected = input_selected and not self._selection
        return before != (self._selection, self._input_selected)

    def _in_list_order(self, ids: set[str]) -> tuple[str, ...]:
        if len(ids) < 2:
            return tuple(ids)
        return tuple(node.id for node in self.network.walk() if node.id in ids)

    def _tell_file(self) -> None:
        self._shown_as_modified = self.is_modified
        self.file_changed.emit(self._path)


class _Change(QUndoCommand):
    """One step: the states before and after, each with its selection."""

    def __init__(
        self,
        project: Project,
        text: str,
        before: tuple[State, tuple[str, ...]],
        after: tuple[State, tuple[str, ...]],
        merge: Hashable | None,
    ) -> None:
        super().__init__(text)
        self._project = project
        self._before = before
        self._after = after
        self._merge = merge

    def id(self) -> int:
        return -1 if self._merge is None else _MERGING

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _Change) or other._merge != self._merge:
            return False
        self._after = other._after
        self.setObsolete(self._after[0] == self._before[0])
        return True

    def undo(self) -> None:
        self._project._show(*self._before)

    def redo(self) -> None:
        self._project._show(*self._after)
