"""Opens runs from their folders, goes on with them, and says what becomes of one that trains elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog

from cnnstudio.gui.compute.background_task import Work
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.runs.follower import Opened, read_run
from cnnstudio.gui.runs.status_text import trained_where
from cnnstudio.runs.run import Status
from cnnstudio.runs.watching import Look
from cnnstudio.training.events import Event, Warned

if TYPE_CHECKING:
    from cnnstudio.gui.shell.main_window import MainWindow

_AT_ONCE_SECONDS = 0.3
"""So long the window waits for a folder, which is long enough for every drive that answers."""
_BROKEN_OFF = "The run was broken off: its program is gone. What it had saved is kept."
_SILENT = "Nothing is heard of the run any more: it was broken off, or {} cannot be reached."
_NO_RUN = "There is no run yet: press Train, or open an earlier one."


class RunDesk(QObject):
    """Reads run folders in threads, so that a drive that hangs does not hold up the window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._reading: Work | None = None
        self._status: Status | None = None
        follower = window.dashboard.follower
        follower.began.connect(self._on_began)
        follower.grew.connect(self._on_grew)
        follower.changed.connect(self._on_changed)

    # What the user does

    def choose(self) -> None:
        """Asks for a run folder and shows it."""
        from cnnstudio.core.paths import home

        folder = QFileDialog.getExistingDirectory(self._window, "Open a run", str(home() / "runs"))
        if folder:
            self.open(Path(folder))

    def open(self, folder: Path) -> None:
        """Shows a run folder: its design in the list, its curves and maps in the dashboard."""
        if self._window.session.state is not State.IDLE:
            self._fail("Another run is training: stop it before opening one.")
        else:
            self._read(folder, partial(read_run, folder), self._on_read)

    def go_on(self) -> None:
        """Takes up the run that the dashboard shows where it stands."""
        from cnnstudio.gui.runs.resume import go_on, read_ended

        window, folder = self._window, self._window.run_folder
        if window.session.state is not State.IDLE:
            self._fail("A run is training already.")
        elif folder is None:
            window.notice.show_sentence(_NO_RUN)
        else:
            then = partial(go_on, window.session, window=window)
            self._read(folder, partial(read_ended, folder), then)

    def show_folder(self) -> None:
        """The run's files in the system's file manager."""
        folder = self._window.run_folder
        if folder is None:
            self._window.notice.show_sentence(_NO_RUN)
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def close(self) -> None:
        """Waits for nothing any more."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    # Reading

    def _read(self, folder: Path, read: Callable[[], Any], then: Callable[[Any], object]) -> None:
        """Does `then` with what `read` gives: at once where the drive is quick, else when it comes."""
        self.close()
        waiting = f"Reading the run in {folder} …"

        def end(act: Callable[[Any], object], value: object) -> None:
            self._reading = None
            self._window.notice.take_back(waiting)
            act(value)

        self._reading = work = Work(lambda progress, cancelled: read(), self)
        work.done.connect(partial(end, then))
        work.failed.connect(partial(end, self._fail))
        work.start()
        work.wait(_AT_ONCE_SECONDS)
        if self._reading is work:
            self._window.notice.show_sentence(waiting)

    def _on_read(self, opened: Opened) -> None:
        window = self._window
        # A training may have begun while a slow drive was read.
        if window.session.state is State.IDLE and window.documents.may_discard():
            window.dashboard.show_run(opened)
            window.project.open_network(opened.record.network, None)

    def _fail(self, sentence: object) -> None:
        self._window.notice.show_sentence(str(sentence), wrong=True)

    # The run that is followed

    def _on_began(self, _: object) -> None:
        look = self._window.dashboard.follower.look
        if look is not None and look.status == "running":
            self._window.adviser.hear(look.events, own=False)

    def _on_grew(self, events: Iterable[Event]) -> None:
        self._window.adviser.hear(events, own=False)
        for event in events:
            if isinstance(event, Warned):
                self._window.notice.show_sentence(event.message)

    def _on_changed(self) -> None:
        """Says how a run ends that was seen to train, and that it goes on."""
        window, follower = self._window, self._window.dashboard.follower
        window.panel.show_followed(follower)
        window.status.show_followed(follower)
        look = follower.look
        before, self._status = self._status, look.status if look is not None else None
        if look is None or before is None or before == self._status:
            return
        if self._status == "running":
            window.notice.show_sentence(f"The run goes on. {trained_where(look)}.")
        elif before == "running":
            self._say_end(look)

    def _say_end(self, look: Look) -> None:
        notice, said = self._window.notice, self._window.panel.sentence.whole.rstrip(".")
        if look.status != "interrupted":
            notice.show_sentence(f"The run has ended. {said}.", wrong=look.status == "failed")
        elif look.run.is_of_this_machine:
            notice.show_sentence(_BROKEN_OFF, button="Go on with the run", action=self.go_on)
        else:
            notice.show_sentence(_SILENT.format(look.run.host))
