"""The Data page: the data sets, their images by class, and details."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPixmap, QShowEvent
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_count, pluralize
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import sources
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.data.data_sets import DataSets
from cnnstudio.gui.data.source_list import SourceList
from cnnstudio.gui.data.thumbnails import Thumbnails
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.page import Page
from cnnstudio.gui.pages.panel_parts import SIDE, PanelFoot, PanelHead, fill
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage

_SPLITS = {"train": "Training", "validation": "Validation", "test": "Test"}
_IMAGE_SIDE = 144
_IN_USE = "in use by the running training; changes apply to the next run"


class SetsPanel(Panel):
    """The data sets, and the way to add one's own images."""

    def __init__(self) -> None:
        super().__init__("setsPanel")
        self.list = SourceList()
        self.add = QPushButton("Add images…")
        self.add.setObjectName("addImages")
        self.add.setProperty("role", "small")
        self.add.setToolTip(
            "Add a folder with one subfolder of images per class. Tables (CSV) and zip files: File ▸ Open"
        )
        fill(self, PanelHead("Data sets"), self.list, PanelFoot(self.add), hero=self.list)
        self.focus_target = self.list


class ImagesPanel(Panel):
    """The images of one split of the data set that is looked at."""

    def __init__(self) -> None:
        super().__init__("imagesPanel")
        self.split = QComboBox()
        self.split.setObjectName("splitSelector")
        self.split.setProperty("role", "small")
        self.split.setAccessibleName("Split")
        # Empty until the images have come; its place is kept.
        policy = self.split.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.split.setSizePolicy(policy)
        self.split.hide()
        self.all_classes = QPushButton("All classes")
        self.all_classes.setObjectName("allClasses")
        self.all_classes.setProperty("role", "small")
        self.all_classes.setToolTip("Show all classes again (Esc)")
        self.all_classes.hide()
        self.head = PanelHead("", self.all_classes, self.split)
        self.grid = Thumbnails()
        self.balance = ElidedLabel(role="help", tone="secondary")
        fill(self, self.head, self.grid, PanelFoot(self.balance), hero=self.grid)
        self.focus_target = self.grid


class DetailsPanel(Panel):
    """The chosen image, and the data set with what can be done with it."""

    def __init__(self) -> None:
        super().__init__("detailsPanel")
        self.sets = DataSets()
        self._image = QLabel()
        self._image.setFixedHeight(_IMAGE_SIDE)
        self._image.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._caption = Label(role="help", tone="secondary", wrap=True)
        self._image.hide()
        self._caption.hide()
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(SIDE, 0, SIDE, 12)
        column.setSpacing(8)
        column.addWidget(self._image)
        column.addWidget(self._caption)
        column.addWidget(self.sets, 1)
        fill(self, PanelHead("Details"), body, hero=body)

    def show_image(self, image: np.ndarray | None, caption: str = "") -> None:
        """Shows uint8 (C, H, W) enlarged, with a sentence on it; None shows nothing."""
        self._image.setVisible(image is not None)
        self._caption.setVisible(image is not None)
        self._caption.setText(caption)
        if image is not None:
            self._image.setPixmap(QPixmap.fromImage(_enlarged(to_qimage(image))))
            self._image.setAccessibleName(caption)


def _enlarged(image: QImage) -> QImage:
    smooth = image.width() > _IMAGE_SIDE
    return image.scaled(
        *(_IMAGE_SIDE, _IMAGE_SIDE),
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation if smooth else Qt.TransformationMode.FastTransformation,
    )


class DataPage(Page):
    """Looking at a data set does not choose it for training; its Use button does."""

    title: ClassVar[str] = "Data"
    has_timeline: ClassVar[bool] = False

    sets_changed = Signal()
    """A data set was downloaded, added or removed."""

    def __init__(self, project: Project, session: TrainingSession, settings: Settings) -> None:
        super().__init__(settings)
        self._project = project
        self._session = session
        self._task: ComputeTask | None = None
        self._dataset: Dataset | None = None
        self._name = ""
        self._loaded: tuple[str, weakref.ref[Dataset]] | None = None
        """The data set of the running training, as long as that keeps it in memory."""
        session.dataset_loaded.connect(self._on_dataset_loaded)
        self._used = project.dataset_name
        self._needs_loading = False
        """Whether another data set was chosen while the page was hidden."""
        # Other programs look for it from the start.
        self._queue = QWidget(self)
        self._queue.setObjectName("reviewQueue")
        self._queue.hide()

    @property
    def panels(self) -> Sequence[QWidget]:
        return (self.sets, self.images, self.details) if self._is_built else ()

    def build(self) -> QWidget:
        self.sets, self.images, self.details = SetsPanel(), ImagesPanel(), DetailsPanel()
        self.sets.add.clicked.connect(self.details.sets.add_folder)
        self.sets.list.source_chosen.connect(self._on_source_chosen)
        self.details.sets.chosen.connect(lambda name: self._project.set_dataset(str(name), None))
        self.details.sets.changed.connect(self._on_sets_changed)
        self.details.sets.added.connect(lambda name: self.sets.list.choose(str(name)))
        self.details.sets.details_loaded.connect(self.sets.list.show_details)
        self.images.split.currentIndexChanged.connect(self._show_split)
        self.images.all_classes.clicked.connect(lambda: self.images.grid.show_class(None))
        self.images.grid.chosen.connect(self._on_image_chosen)
        self.images.grid.class_chosen.connect(self._on_class_chosen)
        self._project.dataset_changed.connect(self._on_dataset_changed)
        self._session.state_changed.connect(self._on_state_changed)
        self._used = self._project.dataset_name
        self._show_used()
        self.sets.list.refresh()
        parts = (self.sets, self.images, self.details)
        return self.splitter("columns", Qt.Orientation.Horizontal, parts, (212, 716, 312), hero=1)

    # The data set that is looked at

    def refresh_sets(self) -> None:
        """Lists the data sets again: they were changed elsewhere."""
        if self._is_built:
            self.details.sets.refresh()
            self._list_sets()

    def offer(self, path: Path) -> None:
        """Says what a folder, table or zip file of images is understood to be, and asks whether to add it."""
        self.ensure_built()
        self.details.sets.offer(path)

    def _on_sets_changed(self) -> None:
        self._list_sets()
        self.sets_changed.emit()

    def _list_sets(self) -> None:
        self.sets.list.refresh()
        if self._dataset is None:
            # It may have come just now.
            self._load()

    def _on_dataset_changed(self, _: object) -> None:
        # The signal also tells what became known about the same data set.
        if self._project.dataset_name != self._used:
            self._used = self._project.dataset_name
            self._show_used()
            self.sets.list.choose(self._used)

    def _show_used(self) -> None:
        self.sets.list.show_used(self._used)
        self.details.sets.show_used(self._used)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._needs_loading:
            self._load()

    def _on_source_chosen(self, name: object) -> None:
        if name != self._name:
            self._name = str(name)
            self._dataset = None
            self.details.sets.show_only(self._name)
            self.details.show_image(None)
            self._load()

    def _load(self) -> None:
        """Shows the images as soon as they are there."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._needs_loading = not self.isVisible()
        if self._needs_loading:
            return
        source = next((each for each in sources() if each.name == self._name), None)
        self.images.head.title.setText(plain_line(source.title, 60) if source is not None else "")
        self.images.head.secondary.set_full_text("")
        self.images.balance.set_full_text("")
        self.images.split.hide()
        if source is None:
            self.images.grid.show_hint("Choose a data set")
        elif not source.available():
            what = "This data set is not on this computer yet." if source.built_in else "Folder not found."
            self.images.grid.show_hint(what)
        elif (dataset := self._in_memory()) is not None:
            self._show(self._name, dataset)
        else:
            waits = self._session.state is not State.IDLE
            self.images.grid.show_hint("Shown when the training has ended" if waits else "Loading images…")
            name = self._name
            self._task = self._session.fetch(
                name, lambda dataset: self._show(name, dataset), self.images.grid.show_hint
            )

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        name, dataset = loaded
        self._loaded = name, weakref.ref(dataset)
        if self._is_built and name == self._name and self._dataset is None:
            self._show(name, dataset)

    def _in_memory(self) -> Dataset | None:
        """The data set that is looked at, if a training has loaded it."""
        if self._loaded is None or self._loaded[0] != self._name:
            return None
        return self._loaded[1]()

    def _on_state_changed(self, state: object) -> None:
        if state is State.IDLE and self._task is not None and self._dataset is None:
            self.images.grid.show_hint("Loading images…")
        self._show_foot()

    def _show(self, name: str, dataset: Dataset) -> None:
        if name != self._name:
            return
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._dataset = dataset
        combo = self.images.split
        combo.blockSignals(True)
        combo.clear()
        for part in _SPLITS:
            if part in dataset.splits:
                combo.addItem(_SPLITS[part], part)
        combo.blockSignals(False)
        combo.show()
        self._show_split()

    def _show_split(self, *_: object) -> None:
        dataset, part = self._dataset, str(self.images.split.currentData())
        if dataset is None or part not in dataset.splits:
            return
        split = dataset.splits[part]
        channels, height, width = dataset.shape
        kind = "color" if channels >= 3 else "gray"
        self.images.head.title.setText(plain_line(dataset.title, 60))
        self.images.head.secondary.set_full_text(
            f"{pluralize(len(split), 'image')}, {width} × {height}, {kind}"
        )
        self.images.grid.show_images(split, dataset.classes)
        self._show_foot()
        self.images.all_classes.hide()
        self.details.show_image(None)

    def _show_foot(self) -> None:
        """How balanced the classes are, and whether a training uses the images now."""
        if self._dataset is None:
            return
        balance = _describe_balance(self.images.grid.counts, self._dataset.classes)
        is_training = self._session.state is not State.IDLE and self._session.dataset_name == self._name
        parts = (balance, _IN_USE if is_training else "")
        self.images.balance.set_full_text(" · ".join(part for part in parts if part))

    def _on_class_chosen(self, index: object) -> None:
        self.images.all_classes.setVisible(index is not None)

    def _on_image_chosen(self, row: object) -> None:
        assert isinstance(row, int)
        if self._dataset is not None:
            split = self._dataset.splits[str(self.images.split.currentData())]
            label = plain_line(self._dataset.classes[int(split.labels[row])], 80)
            caption = f"{label} · image {format_count(row + 1)} of {format_count(len(split))}"
            self.details.show_image(np.asarray(split.images[row]), caption)

    def close_tasks(self) -> None:
        """Cancels downloads and scans."""
        if self._is_built:
            self.details.sets.close_tasks()


def _describe_balance(counts: Sequence[int], classes: Sequence[str]) -> str:
    """`Balanced: 5,000 images per class`, or which classes have the fewest and the most."""
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    if low == high:
        return f"Balanced: {pluralize(low, 'image')} per class"
    names = plain_line(classes[counts.index(low)], 40), plain_line(classes[counts.index(high)], 40)
    return f"Fewest: {names[0]} ({format_count(low)}) · most: {names[1]} ({format_count(high)})"
