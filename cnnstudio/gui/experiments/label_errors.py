"""Looks for suspected label errors with a run, and hands them to the review queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.core.formatting import list_names, pluralize
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import DataError, Dataset
from cnnstudio.data.images.resizing import resize
from cnnstudio.data.sources import find_source, listed_name, sources
from cnnstudio.data.sources.base import Source
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.experiments.run_dialog import RunDialog
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.evaluation_counts import count_test_look
from cnnstudio.runs.run import Run

TITLE = "Suspected label errors"
_HELP = (
    "Looks at all images of the run's data set for labels that neither the network nor the images most "
    "similar to it support. A third to a half of what is found is usually wrong; the rest is unusual. "
    "Nothing is changed: you decide about each image on the Data page."
)


@dataclass(frozen=True, eq=False)
class _Read:
    run: Run
    name: str
    dataset: Dataset
    files: Mapping[str, Sequence[str]]
    obstacle: str
    """Why the labels cannot be reviewed, as a sentence; empty if they can."""


@dataclass(frozen=True, eq=False)
class Suspects:
    """What was found in a data set."""

    name: str
    images: int
    items: Sequence[ReviewItem]
    obstacle: str = ""
    """Why they cannot be reviewed, as a sentence; empty if they can."""


class LabelErrorDialog(RunDialog):
    """Starts at once."""

    review_requested = Signal(object)
    """(name of the data set, title, ReviewItems)."""

    def __init__(self, folder: Path, session: TrainingSession, parent: QWidget | None = None) -> None:
        super().__init__("labelErrorDialog", "Find suspected label errors", _HELP, session, parent)
        self._folder, self._device = folder, session.device
        self._found: Suspects | None = None
        self.start()

    def start(self) -> None:
        """Looks for them."""
        folder, device = self._folder, self._device
        self.show_text("")
        self.begin(
            "Loading the images",
            lambda progress, cancelled: _read(folder, progress, cancelled),
            lambda read, progress, cancelled: _find(read, device, progress, cancelled),
        )

    def act(self) -> None:
        if self._found is None:
            self.start()
        else:
            self.review_requested.emit((self._found.name, TITLE, list(self._found.items)))
            self.accept()

    def show_result(self, result: Suspects) -> None:
        images = pluralize(result.images, "image")
        if not result.items:
            self.show_text(f"Nothing found: all labels of {images} have support.")
            return
        count = pluralize(len(result.items), "image")
        example = result.items[0]
        text = f"{len(result.items):,} of {images}, most doubtful first. The first is {example.file}. "
        text += example.reason
        text = f"{text} {result.obstacle}".rstrip()
        self.show_text(text)
        if not result.obstacle:
            self._found = result
            self.offer(f"Review {count}")

    def show_ended(self) -> None:
        self.offer("Try again")


def _read(folder: Path, progress: ProgressFunction, cancelled: CancelFunction) -> _Read:
    run = Run.open(folder)
    try:
        source = find_source(run.dataset_name)
    except DataError as error:
        raise RunError(f"The data set of the run was not found: {run.dataset_name}.") from error
    files: Mapping[str, Sequence[str]]
    if isinstance(source, FileSource):
        dataset, files = source.load_with_files(progress, cancelled)
    else:
        dataset = source.load(progress, cancelled)
        files = {part: [f"{part}/{row}" for row in range(len(each))] for part, each in dataset.splits.items()}
    if dataset.classes != run.classes:
        raise RunError(f"{dataset.title} now has other classes than the run: {list_names(dataset.classes)}.")
    channels, height, width = run.network.input.dims
    resized = resize(dataset, (channels, height, width), progress, cancelled)
    obstacle = ""
    if not isinstance(source, FileSource):
        obstacle = "Labels can be corrected only of images in files of your own."
    elif not any(_is_same(each, source) for each in sources()):
        obstacle = f"To review them, add {source.path} on the Data page, then look again."
    return _Read(run, listed_name(source), resized, files, obstacle)


def _is_same(one: Source, other: Source) -> bool:
    return isinstance(one, FileSource) and isinstance(other, FileSource) and one.path == other.path


def _find(read: _Read, device: str, progress: ProgressFunction, cancelled: CancelFunction) -> Suspects:
    from cnnstudio.insight.curation.label_doubts import suspected_label_errors
    from cnnstudio.training.hardware.device import choose_device

    model = read.run.model().to(choose_device(device))
    flip = read.run.recipe.test_time_flip
    count_test_look(read.run, read.dataset, "label errors", read.run.best_epoch)
    items = suspected_label_errors(model, read.dataset, read.files, flip, progress, cancelled)
    return Suspects(read.name, read.dataset.image_count, items, read.obstacle)
