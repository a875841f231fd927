"""Opens files and folders of any kind, wherever they come from: a drop, or File ▸ Open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.pages.pages import Pages
from cnnstudio.gui.shell.dialogs import Dialogs
from cnnstudio.gui.shell.drops.found import Found, Kind, identify
from cnnstudio.gui.shell.drops.plan import Step, plan
from cnnstudio.gui.widgets.images.file_filters import openable_filters
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.gui.widgets.plain_text import plain_line

_BLOCKING_SECONDS = 0.3
"""The time that the window waits for the drive; most respond faster."""
_MAX_LISTED = 8
_MAX_NAME = 40


class Opener(QObject):
    """Finds out what things are, asks if there are several, and hands each to what shows it."""

    message = Signal(object)
    """A Message for the user."""
    run_requested = Signal(object)
    """The path of the run to show."""
    start_requested = Signal(object)
    """The path of a file of weights that the next training is to start from."""

    def __init__(
        self,
        documents: Documents,
        dialogs: Dialogs,
        pages: Pages,
        shown_run: Callable[[], str],
        window: QWidget,
    ) -> None:
        """`shown_run` names the run on show; empty if there is none."""
        super().__init__(window)
        self._documents = documents
        self._dialogs = dialogs
        self._pages = pages
        self._shown_run = shown_run
        self._window = window
        self._task: IoTask | None = None

    def choose(self) -> None:
        """Asks for files and opens them."""
        folder = str(self._documents.folder)
        names, _ = QFileDialog.getOpenFileNames(self._window, "Open", folder, openable_filters())
        if names:
            self.open([Path(name) for name in names])

    def open(self, paths: Sequence[Path]) -> None:
        """Opens these things: at once if the drive is fast, else later."""
        self.look(paths, self._on_looked)
        if self._task is not None:
            self._task.wait(_BLOCKING_SECONDS)

    def look(self, paths: Sequence[Path], on_steps: Callable[[tuple[Step, ...]], object]) -> None:
        """Finds out what would be done; only the last call counts."""
        self.close()
        paths = tuple(paths)
        self._task = task = IoTask(lambda progress, cancelled: identify(paths, cancelled), self)

        def on_done(found: tuple[Found, ...]) -> None:
            self._task = None
            on_steps(plan(found, self._shown_run()))

        task.done.connect(on_done)
        task.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        task.start()

    def close(self) -> None:
        """Ends what is looked at in the background."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # What is done

    def _on_looked(self, steps: tuple[Step, ...]) -> None:
        possible = [step for step in steps if step.is_possible]
        if not possible:
            self.message.emit(Message(_describe_unusable(steps), is_error=True))
        elif len(steps) == 1 or self._ask(steps, len(possible)):
            for step in possible:
                self._perform(step.found)

    def _ask(self, steps: Sequence[Step], possible: int) -> bool:
        """Several things at once: what happens to each is listed before it happens."""
        lines = [f"{plain_line(step.found.name, _MAX_NAME)}: {step.text}" for step in steps]
        if len(lines) > _MAX_LISTED:
            lines[_MAX_LISTED - 1 :] = [f"and {len(lines) - _MAX_LISTED + 1:,} more"]
        count = pluralize(possible, "item")
        box = MessageBox(
            self._window,
            "Open",
            f"Open {count}?"
            if possible == len(steps)
            else f"Open {possible:,} of {pluralize(len(steps), 'item')}?",
            "\n".join(lines),
            icon="open",
            answers=(
                Answer("cancel", "&Cancel", escape=True),
                Answer("open", "&Open", default=True, primary=True),
            ),
        )
        return box.ask() == "open"

    def _perform(self, found: Found) -> None:
        match found.kind:
            case Kind.DATA_SET:
                self._pages.turn_to(Pages.DATA)
                self._pages.data.offer(found.path)
            case Kind.DESIGN:
                self._documents.open_path(found.path)
            case Kind.CODE:
                self._dialogs.show_import(found.path)
            case Kind.ONNX:
                self._dialogs.show_onnx(found.path)
            case Kind.RUN:
                self.run_requested.emit(found.path)
            case Kind.WEIGHTS:
                self.start_requested.emit(found.path)
            case Kind.IMAGES:
                self._pages.turn_to(Pages.USE)
                self._pages.use.try_panel.try_paths(found.paths)


def _describe_unusable(steps: Sequence[Step]) -> str:
    """One sentence for one thing; for several, their number and the first one's name and reason."""
    if not steps:
        return "There is nothing to open."
    name, reason = plain_line(steps[0].found.name, 80), steps[0].text
    if len(steps) == 1:
        return f"{name} cannot be opened: {reason}."
    count = pluralize(len(steps), "item")
    if all(step.text == reason for step in steps):
        return f"None of these {count} can be opened: {reason}."
    return f"None of these {count} can be opened. The first is {name}: {reason}."
