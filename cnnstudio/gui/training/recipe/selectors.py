"""What is trained with: the data set and the recipe, each as a list to choose from."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.sources import Source, find_source, sources
from cnnstudio.gui.compute.io_task import Work
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.controls import TitledComboBox
from cnnstudio.training.recipe.files import known_recipes, own_recipes, read_recipe, with_known_name
from cnnstudio.training.recipe.recipe import PURPOSES, RECIPES, UNNAMED, Recipe, RecipeError

_FILE = "\n"
"""Stands for the entry that opens a file; no recipe has that name."""


class DataSelector(TitledComboBox):
    """All sources of images. Those that are not on the machine lead to the dialog of the data sets."""

    dialog_requested = Signal(object)
    """The name of the data set that is not there yet; empty for all other wishes."""

    def __init__(self, project: Project, parent: QWidget | None = None) -> None:
        super().__init__("Data")
        self.setObjectName("datasetSelector")
        self.setToolTip("The images to train and test with")
        self._project = project
        self._sources: dict[str, Source] = {}
        self._looking: Work | None = None
        self._on_dataset_changed(project.dataset_name)
        self.currentIndexChanged.connect(self._on_index_changed)
        project.dataset_changed.connect(self._on_dataset_changed)

    def refresh(self) -> None:
        """Lists the sources anew."""
        self.blockSignals(True)
        self.clear()
        self._sources = {source.name: source for source in sources()}
        name = self._project.dataset_name
        if name and name not in self._sources:
            self._add_unlisted(name)
        for name, source in self._sources.items():
            there = source.available()
            self.addItem(source.title if there else f"{source.title} · download…", name)
            self.setItemData(self.count() - 1, source.description, 3)
        self.insertSeparator(self.count())
        self.addItem("Other images…", "")
        self.blockSignals(False)
        self._show_chosen()

    def _add_unlisted(self, name: str) -> None:
        """A folder that was named, but not added to the list."""
        try:
            self._sources[name] = find_source(name)
        except UserError:
            return

    def _show_chosen(self) -> None:
        self.blockSignals(True)
        self.setCurrentIndex(self.findData(self._project.dataset_name or None))
        self.blockSignals(False)
        self.updateGeometry()
        self.update()

    def _on_index_changed(self, index: int) -> None:
        name = str(self.itemData(index) or "")
        source = self._sources.get(name)
        if source is None or not source.available():
            self._show_chosen()
            self.dialog_requested.emit(name)
        elif name != self._project.dataset_name:
            # How many classes it has is looked up when the project says that it has another data set.
            self._project.set_dataset(name, None, source.title)

    def _on_dataset_changed(self, _: object) -> None:
        name = self._project.dataset_name
        if self.findData(name) < 0:
            self.refresh()
        self._show_chosen()
        source = self._sources.get(name)
        if source is not None and self._project.classes is None:
            self._look(name, source)

    def _look(self, name: str, source: Source) -> None:
        """Finds out how many classes there are. A folder is looked through beside the window."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if source.built_in:
            self._tell_classes(name, source.title, known_classes(source))
            return

        def look(progress: ProgressFunction, cancelled: CancelFunction) -> int | None:
            return known_classes(source)

        self._looking = Work(look, self)
        self._looking.done.connect(lambda classes: self._tell_classes(name, source.title, classes))
        self._looking.start()

    def _tell_classes(self, name: str, title: str, classes: int | None) -> None:
        project = self._project
        if classes is not None and project.dataset_name == name and project.classes is None:
            project.set_dataset(name, classes, title)


class RecipeSelector(TitledComboBox):
    """The recipes by name, and the way to change one."""

    edit_requested = Signal()

    def __init__(self, project: Project) -> None:
        super().__init__("Recipe")
        self.setObjectName("recipeSelector")
        self.setToolTip("How it is trained: optimizer, learning rate, batches, augmentation")
        self._project = project
        self._refresh()
        self.currentIndexChanged.connect(self._on_index_changed)
        project.recipe_changed.connect(self._refresh)

    def _refresh(self, _: object = None) -> None:
        self.blockSignals(True)
        self.clear()
        recipe, own = self._project.recipe, [*own_recipes()]
        for name in RECIPES:
            self.addItem(name, name)
            self.setItemData(self.count() - 1, PURPOSES[name], Qt.ItemDataRole.ToolTipRole)
        if recipe.name not in (*RECIPES, *own):
            own.append(recipe.name)
        if own:
            self.insertSeparator(self.count())
        for name in own:
            self.addItem(name, name)
        self.insertSeparator(self.count())
        self.addItem("Edit recipe…", "")
        self.addItem("Open recipe file…", _FILE)
        self.setCurrentIndex(self.findData(recipe.name))
        self.blockSignals(False)
        self.setToolTip(recipe_in_words(recipe))
        self.updateGeometry()
        self.update()

    def _on_index_changed(self, index: int) -> None:
        name = str(self.itemData(index) or "")
        self._refresh()
        if not name:
            self.edit_requested.emit()
        elif name == _FILE:
            self._open_file()
        elif name in (known := known_recipes()):
            self._project.set_recipe(known[name])

    def showPopup(self) -> None:
        # Another window may have kept or removed one since.
        self._refresh()
        super().showPopup()

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a recipe", "", "Recipes (*.json)")
        if not path:
            return
        try:
            recipe = read_recipe(Path(path))
        except RecipeError as error:
            self._project.message.emit(f"{str(error).rstrip('.')}.")
            return
        known = with_known_name(recipe)
        taken = known.name != UNNAMED or recipe.name in known_recipes()
        self._project.set_recipe(known if taken else recipe)


def known_classes(source: Source) -> int | None:
    """How many classes the source has, where it says so without loading."""
    classes = source.info().get("classes")
    return len(classes) if classes else None


def recipe_in_words(recipe: Recipe) -> str:
    """`8 epochs in batches of 128 · sgd, learning rate 0.05, one cycle`."""
    schedule = recipe.schedule.replace("_", " ")
    return (
        f"{recipe.epochs:,} epochs in batches of {recipe.batch_size:,} · "
        f"{recipe.optimizer}, learning rate {recipe.learning_rate:g}, {schedule}"
    )
