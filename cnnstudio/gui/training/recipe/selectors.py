"""The combo boxes for the data set and the recipe."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.sources import Source, find_source, sources
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.controls import TitledComboBox
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.layers.base import Shape
from cnnstudio.training.recipe.built_in import PURPOSES, RECIPES
from cnnstudio.training.recipe.files import known_recipes, read_recipe, user_recipes, with_known_name
from cnnstudio.training.recipe.recipe import UNNAMED, Recipe, RecipeError

_Sizes = tuple[int, int, int] | None
"""Channels, height and width of images; None if they are not known."""

_MAX_CHARACTERS = 60
"""Of an entry, which would otherwise make the list as wide as the longest name."""
_DATA_TOOLTIP = "The images to train and test on"
_OPEN_FILE = "\n"
"""The data of the entry that opens a file; no recipe can have this name."""


class DataSelector(TitledComboBox):
    """All data sets. Choosing one that is not downloaded yet opens the data sets dialog."""

    dialog_requested = Signal(object)
    """The data sets dialog is needed: for the missing data set of this name, or for all if it is empty."""

    def __init__(self, project: Project, parent: QWidget | None = None) -> None:
        super().__init__("Data")
        self.setObjectName("datasetSelector")
        self.setToolTip(_DATA_TOOLTIP)
        self._project = project
        self._sources: dict[str, Source] = {}
        self._counting: IoTask | None = None
        self._on_dataset_changed(project.dataset_name)
        self.currentIndexChanged.connect(self._on_index_changed)
        project.dataset_changed.connect(self._on_dataset_changed)

    def refresh(self) -> None:
        """Updates the list."""
        self.blockSignals(True)
        self.clear()
        self._sources = {source.name: source for source in sources()}
        used = self._project.dataset_name
        if used and used not in self._sources:
            self._add_unlisted(used)
        for name, source in self._sources.items():
            is_available = source.available()
            title = plain_line(source.title, _MAX_CHARACTERS)
            missing = "Download…" if source.built_in else "Not found"
            details = source.description if is_available else f"{missing} · {source.description}"
            self.add_entry(title, name, details)
        if used and used not in self._sources:
            self.add_entry(plain_line(used, _MAX_CHARACTERS), used, "Not found: it is not in the list")
        self.insertSeparator(self.count())
        self.add_entry("Other images…", "", "Add a folder of your own images, or download a data set")
        self.blockSignals(False)
        self._select_current()

    def _add_unlisted(self, name: str) -> None:
        """Adds a folder that is used without being registered."""
        try:
            self._sources[name] = find_source(name)
        except UserError:
            return

    def _select_current(self) -> None:
        self.blockSignals(True)
        self.setCurrentIndex(self.findData(self._project.dataset_name or None))
        self.setToolTip(plain_tooltip("\n".join(filter(None, (self.currentText(), _DATA_TOOLTIP)))))
        self.blockSignals(False)
        self.updateGeometry()
        self.update()

    def _on_index_changed(self, index: int) -> None:
        name = str(self.itemData(index) or "")
        source = self._sources.get(name)
        if source is None or not source.available():
            self._select_current()
            self.dialog_requested.emit(name)
        elif name != self._project.dataset_name:
            # The classes are counted in _on_dataset_changed, which this triggers.
            self._project.set_dataset(name, None, source.title)

    def _on_dataset_changed(self, _: object) -> None:
        name = self._project.dataset_name
        if self.findData(name) < 0:
            self.refresh()
        self._select_current()
        source = self._sources.get(name)
        if source is not None and self._project.classes is None:
            self._count_classes(name, source)

    def _count_classes(self, name: str, source: Source) -> None:
        """Determines the number of classes; in a background thread if a folder has to be scanned."""
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        if source.built_in:
            self._set_classes(name, source.title, class_count(source), source.image_shape())
            return

        def count(progress: ProgressFunction, cancelled: CancelFunction) -> int | None:
            return class_count(source)

        def counted(classes: int | None) -> None:
            self._set_classes(name, source.title, classes)
            if classes is not None and self._project.dataset_name == name:
                self._measure(name, source)

        self._counting = IoTask(count, self)
        self._counting.done.connect(counted)
        self._counting.start()

    def _measure(self, name: str, source: Source) -> None:
        """Determines the size of the images, for which some files of a folder are opened."""

        def measure(progress: ProgressFunction, cancelled: CancelFunction) -> _Sizes:
            try:
                return source.image_shape(cancelled)
            except UserError:
                return None  # what is wrong with a folder is told where it is used

        def measured(found: _Sizes) -> None:
            project = self._project
            if found and project.dataset_name == name and project.image_shape is None:
                project.set_dataset(name, project.classes, source.title, Shape.of(*found))

        self._counting = IoTask(measure, self)
        self._counting.done.connect(measured)
        self._counting.start()

    def _set_classes(self, name: str, title: str, classes: int | None, shape: _Sizes = None) -> None:
        project = self._project
        if classes is not None and project.dataset_name == name and project.classes is None:
            project.set_dataset(name, classes, title, Shape.of(*shape) if shape else None)


class RecipeSelector(TitledComboBox):
    """The recipes by name, with entries to edit one and to open a file."""

    edit_requested = Signal()

    def __init__(self, project: Project) -> None:
        super().__init__("Recipe")
        self.setObjectName("recipeSelector")
        self.setToolTip("How the network is trained: optimizer, learning rate, batch size, augmentation")
        self._project = project
        self._refresh()
        self.currentIndexChanged.connect(self._on_index_changed)
        project.recipe_changed.connect(self._refresh)

    def _refresh(self, _: object = None) -> None:
        self.blockSignals(True)
        self.clear()
        recipe, users = self._project.recipe, user_recipes()
        own = [*users]
        for name in RECIPES:
            self.add_entry(name, name, PURPOSES[name])
        if recipe.name not in (*RECIPES, *own):
            own.append(recipe.name)
        if own:
            self.insertSeparator(self.count())
        for name in own:
            values = recipe if name == recipe.name else users[name]
            self.add_entry(plain_line(name, _MAX_CHARACTERS), name, describe_recipe(values))
        self.insertSeparator(self.count())
        self.add_entry("Edit recipe…", "")
        self.add_entry("Open recipe file…", _OPEN_FILE)
        self.setCurrentIndex(self.findData(recipe.name))
        self.blockSignals(False)
        self.setToolTip(plain_tooltip(f"{recipe.name}\n{describe_recipe(recipe)}"))
        self.updateGeometry()
        self.update()

    def _on_index_changed(self, index: int) -> None:
        name = str(self.itemData(index) or "")
        self._refresh()
        if not name:
            self.edit_requested.emit()
        elif name == _OPEN_FILE:
            self._open_file()
        elif name in (known := known_recipes()):
            self._project.set_recipe(known[name])

    def showPopup(self) -> None:
        # Another window may have saved or deleted one since.
        self._refresh()
        super().showPopup()

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open recipe", "", "Recipes (*.json)")
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


def class_count(source: Source) -> int | None:
    """The number of classes, if the source knows it without loading the images."""
    classes = source.info().get("classes")
    return len(classes) if classes else None


def describe_recipe(recipe: Recipe) -> str:
    """`8 epochs, batch size 128 · sgd, learning rate 0.05, one cycle`."""
    schedule = recipe.schedule.replace("_", " ")
    return (
        f"{pluralize(recipe.epochs, 'epoch')}, batch size {recipe.batch_size:,} · "
        f"{recipe.optimizer}, learning rate {recipe.learning_rate:g}, {schedule}"
    )
