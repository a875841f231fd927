"""Training images as the network sees them: at its input size, with the augmentation of the recipe.

The same code makes them as in a training. They follow the sliders, which change the recipe and can be undone.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.parameters import parameters
from cnnstudio.data.augmentation.augmentation import FLIPS, Augmentation
from cnnstudio.data.dataset import Dataset, Pixels
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.plain_text import plain_tooltip
from cnnstudio.gui.widgets.qimage import to_qimage
from cnnstudio.training.recipe.files import with_known_name
from cnnstudio.training.recipe.recipe import Recipe

_COLUMNS, _ROWS, _GAP = 4, 3, 4
COUNT = _COLUMNS * _ROWS
_SLIDERS = {
    "shift": (1.0, 16),
    "crop": (0.05, 18),
    "cutout": (1.0, 32),
    "brightness": (0.05, 20),
    "contrast": (0.05, 20),
    "saturation": (0.05, 20),
    "mixup": (0.1, 10),
    "cutmix": (0.1, 10),
}
"""Field -> what a step of the slider means, and the number of steps. Other values are typed in the recipe."""


class Augmented(QWidget):
    """Asks the computing thread for the newest settings only, and only while it is visible."""

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__()
        self.setObjectName("augmentedSamples")
        self._project, self._session = project, session
        self._viewed: ViewedSet | None = None
        self._row: int | None = None
        self._draw = 0
        """The number of the epoch whose random numbers are used."""
        self._task: ComputeTask | None = None
        self._is_outdated = True
        self._drag = 0
        self.samples = SampleGrid()
        self._note = ElidedLabel(role="help", tone="secondary")
        self.again = QPushButton("Draw again")
        self.again.setObjectName("drawAgain")
        self.again.setProperty("role", "small")
        self.again.setToolTip("Show what the same images look like in another epoch")
        self.again.clicked.connect(self._on_again)
        self._compose()
        project.recipe_changed.connect(self._on_recipe_changed)
        project.network_changed.connect(self._invalidate)
        session.state_changed.connect(self._on_state_changed)
        self._show_recipe()

    def _compose(self) -> None:
        known = {parameter.name: parameter for parameter in parameters(Recipe)}
        self.flip = QComboBox()
        self.flip.setObjectName("augment_flip")
        self.flip.setProperty("role", "small")
        self.flip.setAccessibleName("Flip")
        self.flip.addItems(list(FLIPS))
        self.flip.activated.connect(lambda index: self._change("flip", FLIPS[index]))
        self.sliders: dict[str, QSlider] = {}
        self._values: dict[str, Label] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        grid.addWidget(Label("Flip", "help"), 0, 0)
        grid.addWidget(self.flip, 0, 1, 1, 2)
        for line, (name, (_, steps)) in enumerate(_SLIDERS.items(), start=1):
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setObjectName(f"augment_{name}")
            slider.setRange(0, steps)
            slider.setMinimumHeight(24)
            slider.setAccessibleName(known[name].label)
            slider.setToolTip(plain_tooltip(known[name].help))
            slider.valueChanged.connect(partial(self._on_moved, name))
            slider.sliderPressed.connect(self._on_drag)
            value = Label("", "help", "secondary")
            value.setMinimumWidth(36)
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.sliders[name], self._values[name] = slider, value
            grid.addWidget(Label(known[name].label, "help"), line, 0)
            grid.addWidget(slider, line, 1)
            grid.addWidget(value, line, 2)
        grid.setColumnStretch(1, 1)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._note, 1)
        row.addWidget(self.again)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.samples)
        column.addLayout(row)
        column.addWidget(Label("Augmentation of the recipe", "strong"))
        column.addLayout(grid)
        column.addStretch(1)

    # What is shown

    def show_set(self, viewed: ViewedSet | None) -> None:
        """Shows samples of another data set."""
        self._viewed, self._row = viewed, None
        self.samples.show_images(None)
        self._invalidate()

    def show_image(self, part: str, row: int) -> None:
        """Shows one image again and again, each time as it may be changed. Only training images change."""
        self._row = row if part == "train" else None
        self._invalidate()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._update()

    def _on_recipe_changed(self, _: object) -> None:
        self._show_recipe()
        self._invalidate()

    def _on_state_changed(self, _: object) -> None:
        self._update()

    def _on_again(self) -> None:
        self._draw += 1
        self._invalidate()

    def _invalidate(self, *_: object) -> None:
        self._is_outdated = True
        self._update()

    def _update(self) -> None:
        """Asks for samples, unless some are on their way: then they are asked for when those have come."""
        viewed = self._viewed
        if viewed is None or not self._is_outdated or self._task is not None or not self.isVisible():
            return
        if self._session.state is not State.IDLE:
            self._note.set_full_text("Shown when the training has ended")
            return
        self._is_outdated = False
        recipe, shape = self._project.recipe, self._project.network.input.dims
        arguments = (
            viewed.dataset,
            self._row,
            recipe.augmentation,
            (shape[0], shape[1], shape[2]),
            recipe.seed,
        )
        self._task = self._session.run_task(
            lambda progress, cancelled: make_samples(*arguments, self._draw), self._on_done, self._on_error
        )

    def _on_done(self, images: object) -> None:
        assert isinstance(images, np.ndarray)
        self._task = None
        self.samples.show_images(images)
        what = "One image, several times" if self._row is not None else "Training images"
        _, channels, height, width = images.shape
        self._note.set_full_text(f"{what}, {width} × {height}, {'color' if channels == 3 else 'gray'}")
        self._update()

    def _on_error(self, reason: str) -> None:
        self._task = None
        self.samples.show_images(None)
        self._note.set_full_text(reason)

    # The recipe

    def _show_recipe(self) -> None:
        augmentation = self._project.recipe.augmentation
        self.flip.setCurrentIndex(FLIPS.index(augmentation.flip))
        for name, slider in self.sliders.items():
            value = float(getattr(augmentation, name))
            slider.blockSignals(True)
            slider.setValue(round(value / _SLIDERS[name][0]))
            slider.blockSignals(False)
            self._values[name].setText(f"{value:g}")

    def _on_drag(self) -> None:
        self._drag += 1

    def _on_moved(self, name: str, position: int) -> None:
        step = _SLIDERS[name][0]
        value = position * step
        self._change(name, round(value) if step == 1.0 else round(value, 4))

    def _change(self, name: str, value: object) -> None:
        changed = with_known_name(self._project.recipe.replace(**{name: value}))
        # One drag is one step back.
        self._project.set_recipe(changed, merge=("augmented", name, self._drag))

    def close_tasks(self) -> None:
        """Ends what is computed in the background."""
        if self._task is not None:
            self._task.cancel()
            self._task = None


def make_samples(
    dataset: Dataset,
    row: int | None,
    augmentation: Augmentation,
    shape: tuple[int, int, int],
    seed: int,
    epoch: int = 0,
) -> Pixels:
    """A batch as the network gets it, made visible: uint8 (N, C, H, W), at most 12. On the compute thread.

    Of one image, if `row` is given, or else of some training images. `shape` is that of the network's input.
    Raises DataError for an input that is neither gray nor color.
    """
    import torch

    from cnnstudio.data.batches import Batches, channel_statistics
    from cnnstudio.data.images.resizing import resize

    count = len(dataset.train)
    shown = min(COUNT, count)
    rows = [row] * COUNT if row is not None else [n * count // shown for n in range(shown)]
    chosen = dataset.train.select(np.array(rows, np.intp))
    small = dataclasses.replace(dataset, train=chosen, test=chosen, validation=None, version="")
    resized = resize(small, shape).train
    # Pixels are normalized and back: only what lies between is to be seen.
    known = dataset.train if dataset.shape[0] == shape[0] else resized
    mean, std = map(torch.from_numpy, channel_statistics(known))
    batches = Batches(
        *(resized, "cpu", mean, std),
        batch_size=len(rows),
        shuffle=False,
        augmentation=augmentation,
        classes=len(dataset.classes),
        seed=seed,
    )
    images, _ = next(batches.epoch(epoch))
    visible = images * std.view(1, -1, 1, 1) + mean.view(1, -1, 1, 1)
    pixels: Pixels = (visible * 255).round().clamp(0, 255).to(torch.uint8).contiguous().numpy()
    return pixels


class SampleGrid(QWidget):
    """Twelve images; gray places until they have come."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Training images as the network sees them")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.images: Pixels | None = None
        self._pixmaps: list[QPixmap] = []
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(_COLUMNS * 66, _ROWS * 66)

    def minimumSizeHint(self) -> QSize:
        return QSize(_COLUMNS * 32, _ROWS * 66)

    def show_images(self, images: Pixels | None) -> None:
        """Shows uint8 (N, C, H, W)."""
        self.images = images
        self._pixmaps = [] if images is None else [QPixmap.fromImage(to_qimage(each)) for each in images]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        side = min((self.width() + _GAP) / _COLUMNS, 66) - _GAP
        for number in range(COUNT):
            line, column = divmod(number, _COLUMNS)
            place = QRectF(column * (side + _GAP), line * (side + _GAP), side, side)
            pixmap = self._pixmaps[number] if number < len(self._pixmaps) else QPixmap()
            paint_image(painter, place, pixmap)
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        self.update()
