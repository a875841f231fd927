"""Leads from images that a view of a run shows to the review queue of their data set."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.sources import find_source, listed_name
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.dashboard.views.base import ImagesToReview
from cnnstudio.gui.widgets.message_bar import Message


class ReviewOfRun(QObject):
    """Finds out which files the images are, and hands them on."""

    found = Signal(object)
    """(name of the data set, title, ReviewItems)."""
    message = Signal(object)
    """A Message about why the images were not found."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._task: IoTask | None = None

    def look_for(self, folder: Path, wanted: ImagesToReview) -> None:
        """Looks for images of a run; only the last call counts."""
        self.close()

        def find(progress: ProgressFunction, cancelled: CancelFunction) -> tuple[str, list[ReviewItem]]:
            # Imported here, because it needs torch.
            from cnnstudio.runs.epochs.image_names import name_images, name_training_images
            from cnnstudio.runs.run import Run

            run = Run.open(folder)
            known = {image.number: image for image in wanted.images}
            name = name_training_images if wanted.are_training else name_images
            named = name(run, list(known), progress, cancelled)
            items = [
                ReviewItem(
                    *(image.file, image.label, about.suggested, about.score, about.reason),
                    split=image.split,
                    row=image.row,
                )
                for image in named
                for about in (known[image.number],)
            ]
            return listed_name(find_source(run.dataset_name)), items

        def on_done(result: object) -> None:
            assert isinstance(result, tuple)
            self.found.emit((result[0], wanted.title, result[1]))

        self._task = IoTask(find, self)
        self._task.done.connect(on_done)
        self._task.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        self._task.start()

    def close(self) -> None:
        """Ends what is looked for."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
