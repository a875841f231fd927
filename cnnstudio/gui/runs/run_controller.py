"""Opens runs from their folders, resumes them, and says what becomes of one that trains elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.gui.compute.io_task import Work
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.runs.follower import Follower, Opened, read_run
from cnnstudio.gui.runs.status_text import RunWords, followed_in_words, trained_where
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.runs.run import Status
from cnnstudio.runs.watching import Look
from cnnstudio.training.events import Event, Warned

_AT_ONCE_SECONDS = 0.3
"""So long the window waits for a folder, which is long enough for every drive that answers."""
_BROKEN_OFF = "The run was broken off: its program is gone. What it had saved is kept."
_SILENT = "Nothing is heard of the run any more: it was broken off, or {} cannot be reached."
_NO_RUN = "There is no run yet: press Train, or open an earlier one."


class RunController(QObject):
    """Reads run folders in threads, so that a drive that hangs does not hold up the window.

    It knows no panel: what it finds, it emits.
    """

    message = Signal(object)
    """A Message for the user."""
    message_withdrawn = Signal(object)
    """The sentence of a message that no longer holds."""
    opened = Signal(object)
    """An Opened: a run folder that was read, to be shown."""
    diagnosed = Signal(object)
    """The events, a tuple, of a run that another program trains: what was recognized in it may be told."""

    def __init__(
        self,
        session: TrainingSession,
        follower: Follower,
        shown_folder: Callable[[], Path | None],
        window: QWidget,
    ) -> None:
        """`shown_folder` gives the folder of the run that is shown; questions are asked above `window`."""
        super().__init__(window)
        self._session = session
        self._follower = follower
        self._shown_folder = shown_folder
        self._window = window
        self._reading: Work | None = None
        self._status: Status | None = None
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
        if self._session.state is not State.IDLE:
            self._fail("Another run is training: stop it before opening one.")
        else:
            self._read(folder, partial(read_run, folder), self._on_read)

    def go_on(self) -> None:
        """Takes up the run that the dashboard shows where it stands."""
        from cnnstudio.gui.runs.resume import go_on, read_ended

        folder = self._shown_folder()
        if self._session.state is not State.IDLE:
            self._fail("A run is training already.")
        elif folder is None:
            self.message.emit(Message(_NO_RUN))
        else:
            then = partial(go_on, self._session, window=self._window)
            self._read(folder, partial(read_ended, folder), then)

    def show_folder(self) -> None:
        """The run's files in the system's file manager."""
        folder = self._shown_folder()
        if folder is None:
            self.message.emit(Message(_NO_RUN))
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
            self.message_withdrawn.emit(waiting)
            act(value)

        self._reading = work = Work(lambda progress, cancelled: read(), self)
        work.done.connect(partial(end, then))
        work.failed.connect(partial(end, self._fail))
        work.start()
        work.wait(_AT_ONCE_SECONDS)
        if self._reading is work:
            self.message.emit(Message(waiting))

    def _on_read(self, opened: Opened) -> None:
        # A training may have begun while a slow drive was read.
        if self._session.state is State.IDLE:
            self.opened.emit(opened)

    def _fail(self, sentence: object) -> None:
        self.message.emit(Message(str(sentence), wrong=True))

    # The run that is followed

    def _on_began(self, _: object) -> None:
        look = self._follower.look
        if look is not None and look.status == "running":
            self.diagnosed.emit(tuple(look.events))

    def _on_grew(self, events: Iterable[Event]) -> None:
        self.diagnosed.emit(events)
        for event in events:
            if isinstance(event, Warned):
                self.message.emit(Message(event.message))

    def _on_changed(self) -> None:
        """Says how a run ends that was seen to train, and that it goes on."""
        look = self._follower.look
        before, self._status = self._status, look.status if look is not None else None
        if look is None or before is None or before == self._status:
            return
        if self._status == "running":
            self.message.emit(Message(f"The run goes on. {trained_where(look)}."))
        elif before == "running":
            self._say_end(look)

    def _say_end(self, look: Look) -> None:
        if look.status != "interrupted":
            ended = f"The run has ended. {self._outcome(look).rstrip('.')}."
            self.message.emit(Message(ended, wrong=look.status == "failed"))
        elif look.run.is_of_this_machine:
            self.message.emit(Message(_BROKEN_OFF, button="Go on with the run", action=self.go_on))
        else:
            self.message.emit(Message(_SILENT.format(look.run.host)))

    def _outcome(self, look: Look) -> str:
        words = RunWords()
        if self._follower.record is not None:
            words.feed(self._follower.record.history.gist)
        return followed_in_words(look, words, self._follower.problem)
