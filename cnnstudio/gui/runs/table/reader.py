"""Lists the runs in a thread."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.runs.library.listing import RunListing, list_summaries

_LATER_MS = 5000


class RunsReader(QObject):
    """Reads once at a time: what is asked last."""

    progressed = Signal(object)
    """A Progress."""
    listed = Signal(object)
    """The RunListing."""
    failed = Signal(object)
    """Why the runs cannot be listed, in one sentence. It is `due` again a while later."""
    due = Signal()
    """It is time to read again."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._task: IoTask | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_LATER_MS)
        self._later.timeout.connect(self.due)

    @property
    def is_reading(self) -> bool:
        return self._task is not None

    def read(self) -> None:
        """Reads now."""
        self.stop()
        self._task = task = IoTask(_list, self)
        task.progressed.connect(self.progressed)
        task.done.connect(self._on_done)
        task.failed.connect(self._on_failed)
        task.start()

    def be_due_later(self) -> None:
        """Emits `due` a while later, unless something is read or it is stopped before."""
        self._later.start()

    def stop(self) -> None:
        """Ends what goes on in the background."""
        self._later.stop()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_done(self, listing: object) -> None:
        self._task = None
        self.listed.emit(listing)

    def _on_failed(self, message: object) -> None:
        self._task = None
        self.failed.emit(message)
        # The folder may be there again.
        self.be_due_later()


def _list(progress: ProgressFunction, cancelled: CancelFunction) -> RunListing:
    """The runs, with what the table needs to know of all of them, so that the window does not wait for it."""
    listing = list_summaries(progress, cancelled)
    _ = listing.started, listing.differing
    return listing
