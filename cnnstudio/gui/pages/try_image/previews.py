"""The chosen image as it was before it was fitted to the network, read in a thread."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Pixels
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.pages.try_image.sources import ImageSource, preview

SIDE = 960
"""Twice the side at which an image is shown at most."""
_MAX_CACHE = 8


class Previews(QObject):
    """Reads one image at a time: of those that the user steps through, the one that is still wanted."""

    loaded = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cache: OrderedDict[ImageSource, Pixels | None] = OrderedDict()
        """None for those that cannot be read any more."""
        self._task: IoTask | None = None

    def get(self, source: ImageSource) -> Pixels | None:
        """The image, uint8 (3, h, w), or None while it is read: ask again after `loaded`."""
        if source in self._cache:
            self._cache.move_to_end(source)
            return self._cache[source]
        if self._task is None:
            task = self._task = IoTask(partial(_read, source), self)
            task.done.connect(lambda found: self._on_read(source, found))
            task.failed.connect(lambda _: self._on_read(source, None))
            task.start()
        return None

    def is_known(self, source: ImageSource) -> bool:
        """Whether the image was read, or it is known that it cannot be read any more."""
        return source in self._cache

    def close(self) -> None:
        """Ignores what is still being read."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_read(self, source: ImageSource, found: Pixels | None) -> None:
        self._task = None
        self._cache[source] = found
        while len(self._cache) > _MAX_CACHE:
            self._cache.popitem(last=False)
        self.loaded.emit()


def _read(source: ImageSource, progress: ProgressFunction, cancelled: CancelFunction) -> Pixels:
    return preview(source, SIDE)
