"""Looks for suspected label errors before any training, on the compute thread while no training runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction, throttled, with_time_left
from cnnstudio.data.checks.label_errors import LabelErrors, read_label_errors, write_label_errors
from cnnstudio.data.dataset import Labels
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.compute.yielding_task import YieldingTask
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet
from cnnstudio.training.pretrained.catalog import EFFICIENTNET_LITE0
from cnnstudio.training.pretrained.installed import is_installed

MAX_IMAGES_UNASKED = 5_000
"""That of `insight.curation.pretrained_doubts`, which needs torch."""
_EXCLUDED = -1
"""The same."""

LabelsNow = Callable[[], tuple[str, Mapping[str, Labels]]]
"""The version of the data set as it is now, and its labels by split, _EXCLUDED for excluded images."""


class LabelErrorSearch(QObject):
    """One search at a time; what it finds is kept with the data sets."""

    changed = Signal()
    """What is found, or whether a search runs, has changed."""
    progressed = Signal(object)
    """A core.progress.Progress of the search."""
    failed = Signal(object)
    """Why the search could not be completed, one sentence."""

    def __init__(self, session: TrainingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._viewed: ViewedSet | None = None
        self._labels: LabelsNow | None = None
        self.found: LabelErrors | None = None
        """What was found in the data set that is looked at; None if nobody looked yet."""
        self._reading: IoTask | None = None
        self.task = YieldingTask(session, self, is_last=True)
        self.task.changed.connect(self.changed)
        self.task.progressed.connect(self.progressed)
        self.task.failed.connect(self.failed)
        self.task.done.connect(self._on_done)

    @property
    def is_large(self) -> bool:
        """Whether the data set is looked through only when somebody asks."""
        return self._viewed is not None and self._viewed.dataset.image_count > MAX_IMAGES_UNASKED

    @property
    def obstacle(self) -> str:
        """Why nothing can be looked for, a sentence; empty if it can."""
        return "" if is_installed(EFFICIENTNET_LITE0.name) else f"{EFFICIENTNET_LITE0.missing_message}."

    def show(self, viewed: ViewedSet | None, labels: LabelsNow | None) -> None:
        """Looks at another data set; `labels` are asked for when a search starts."""
        self.close()
        self._viewed, self._labels, self.found = viewed, labels, None
        if viewed is None:
            return

        def read(progress: ProgressFunction, cancelled: CancelFunction) -> LabelErrors | None:
            return read_label_errors(viewed.images)

        def on_read(found: object) -> None:
            if self.found is None and isinstance(found, LabelErrors):
                self.found = found
                self.changed.emit()

        self._reading = IoTask(read, self)
        self._reading.done.connect(on_read)
        self._reading.start()

    def start_unasked(self) -> None:
        """Looks for them if that takes no more than a few minutes, and if the network is there."""
        if self._viewed is not None and not self.is_large and not self.obstacle:
            self.start()

    def start(self) -> None:
        """Looks for them in the data set, with its labels as they are now."""
        viewed, asked = self._viewed, self._labels
        if viewed is None or asked is None or self.task.is_running:
            return
        if self.obstacle:
            self.failed.emit(self.obstacle)
            return
        device = self._session.device

        def search(progress: object, cancelled: CancelFunction) -> tuple[str, LabelErrors]:
            from cnnstudio.insight.curation.pretrained_doubts import find_label_errors

            assert callable(progress)
            report = throttled(with_time_left(progress))
            items = find_label_errors(viewed.dataset, viewed.files, labels, device, report, cancelled)
            found = LabelErrors(version, tuple(items))
            write_label_errors(viewed.images, found)
            return viewed.images, found

        version, labels = asked()
        self.task.start(search)

    def _on_done(self, result: object) -> None:
        assert isinstance(result, tuple)
        images, found = result
        if self._viewed is not None and self._viewed.images == images:
            self.found = found

    def close(self) -> None:
        """Ends what runs in the background."""
        self.task.cancel()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None


def labels_with_exclusions(
    labels: Mapping[str, Labels], excluded: Mapping[str, np.ndarray]
) -> dict[str, Labels]:
    """The labels by split, with _EXCLUDED for excluded images. A copy."""
    return {part: np.where(excluded[part], _EXCLUDED, each) for part, each in labels.items()}
