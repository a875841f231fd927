"""One data set in the dialog: description, status and actions."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_bytes, format_count
from cnnstudio.core.progress import Progress
from cnnstudio.data.sources import Source
from cnnstudio.gui.widgets.flow import FlowLayout
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel, Tone
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.progress import ProgressLine


def _terms(source: Source) -> str:
    """License and citation of a published data set."""
    return f"License: {source.license}. Cite: {source.citation}" if source.license else ""


class SourceRow(Panel):
    """Shows one source. Every button only emits a signal with the source."""

    use_requested = Signal(object)
    download_requested = Signal(object)
    archive_requested = Signal(object)
    change_requested = Signal(object)
    removal_requested = Signal(object)
    cancel_requested = Signal(object)
    pause_requested = Signal(object)
    discard_requested = Signal(object)

    def __init__(self, source: Source, parent: QWidget | None = None) -> None:
        super().__init__(f"source_{source.name}")
        self.setParent(parent)
        self.source = source
        self.setAccessibleName(plain_line(source.title))
        self._state = Label("", "help", "secondary")
        self._details = Label("", "help", "secondary", wrap=True)
        self._terms = Label(_terms(source), "help", "secondary", wrap=True)
        self._terms.setObjectName("terms")
        if not self._terms.text():
            # Never shown here: without a parent yet it would be a window, which takes the keys from this one.
            self._terms.hide()
        self._notes = Label("", "help", "secondary", wrap=True)
        self._notes.setObjectName("notes")
        self._notes.hide()
        self._message = Label("", "help", "wrong", wrap=True)
        self._message.setObjectName("message")
        self._message.hide()
        self._progress = ProgressLine()
        self._progress.cancelled.connect(lambda: self.cancel_requested.emit(self.source))
        self._progress.pause_requested.connect(lambda: self.pause_requested.emit(self.source))
        self._progress.resume_requested.connect(lambda: self.download_requested.emit(self.source))
        self._is_used = self._is_busy = self._has_part = False
        self._buttons = self._make_buttons()
        self._compose()
        self.show_state()

    def _make_buttons(self) -> dict[str, QPushButton]:
        title = self.source.title
        actions = {
            "use": ("Use", self.use_requested, f"Train on {title}"),
            "download": ("Download", self.download_requested, f"Download {title}"),
            "discard": (
                "Discard",
                self.discard_requested,
                f"Delete what was downloaded of {title} so far",
            ),
            "archive": (
                "Import archive…",
                self.archive_requested,
                f"Import {title} from an archive on this computer",
            ),
            "change": (
                "Change…",
                self.change_requested,
                f"Change the name, layout, split or image size of {title}",
            ),
            "remove": ("Remove", self.removal_requested, f"Remove {title} from the list (files are kept)"),
        }
        buttons = {}
        for name, (text, signal, description) in actions.items():
            button = QPushButton(text)
            button.setObjectName(name)
            button.setProperty("role", "small")
            button.setAccessibleName(plain_line(description))
            button.setToolTip(plain_tooltip(description))
            button.clicked.connect(lambda _checked=False, signal=signal: signal.emit(self.source))
            buttons[name] = button
        return buttons

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.addWidget(ElidedLabel(self.source.title, "strong"), 1)
        head.addWidget(self._state)
        self._actions = QWidget()
        # In a narrow panel not all of them fit side by side.
        line = FlowLayout(self._actions, to_right=True)
        for name in ("remove", "change", "discard", "archive", "download", "use"):
            line.addWidget(self._buttons[name])
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(Label(self.source.description, "help", "secondary", wrap=True))
        for widget in (self._details, self._terms, self._notes, self._message, self._progress, self._actions):
            column.addWidget(widget)

    def show_used(self, is_used: bool) -> None:
        """Shows whether the next training uses the data set."""
        if is_used != self._is_used:
            self._is_used = is_used
            self.show_state(self._is_busy)

    def show_state(self, busy: bool = False) -> None:
        """Updates status and buttons; `busy` while a task for any source is running."""
        self._is_busy = busy
        available = self.source.available()
        shown = {
            "use": available,
            "download": self.source.can_download and not available,
            "archive": self.source.can_import and not available,
            "discard": self._has_part and not available,
            "change": available and not self.source.built_in,
            "remove": not self.source.built_in,
        }
        for name, button in self._buttons.items():
            button.setVisible(shown[name])
            button.setEnabled(not busy)
        self._progress.allow_resuming(not busy)
        self._buttons["use"].setText("In use" if self._is_used else "Use")
        self._buttons["use"].setEnabled(not busy and not self._is_used)
        text, tone = self._status(available)
        self._state.setText(text)
        self._state.set_tone(tone)

    def _status(self, available: bool) -> tuple[str, Tone]:
        if available:
            return "✓ Ready", "good"
        if self.source.built_in:
            return "Not downloaded", "secondary"
        return "Folder not found", "wrong"

    def show_info(self, info: dict[str, Any]) -> None:
        """Shows what is known about the data set without loading it: the result of `Source.info`."""
        facts = []
        if info.get("classes"):
            facts.append(f"{format_count(len(info['classes']))} classes")
        if info.get("train") and info.get("test", 0) is None:
            facts.append(f"{format_count(info['train'])} images, some of them held out as the test set")
        elif info.get("train"):
            facts.append(f"{format_count(info['train'])} training images")
        if info.get("validation"):
            facts.append(f"{format_count(info['validation'])} validation images")
        if info.get("test"):
            facts.append(f"{format_count(info['test'])} test images")
        self._has_part = not self.source.available() and bool(info.get("downloaded_bytes"))
        if self._has_part:
            whole = format_bytes(info["download_bytes"])
            facts.append(f"{format_bytes(info['downloaded_bytes'])} of {whole} downloaded")
            self._buttons["download"].setText("Resume download")
        else:
            self._buttons["download"].setText("Download")
        self._buttons["discard"].setVisible(self._has_part)
        self._details.setText(" · ".join(facts))
        self._details.setVisible(bool(facts))
        self._notes.setText("\n".join(info.get("notes", ())))
        self._notes.setVisible(bool(info.get("notes")))
        if info.get("problem"):
            self.show_message(str(info["problem"]), is_error=True)

    def show_message(self, text: str, *, is_error: bool) -> None:
        """Shows a message below the description; an empty one hides it."""
        self._message.setText(text)
        self._message.set_tone("wrong" if is_error else "good")
        self._message.setVisible(bool(text))

    def begin(self, text: str, *, can_pause: bool = False) -> None:
        """Shows the progress bar for a task that starts now, instead of the last message."""
        self.show_message("", is_error=False)
        self._actions.hide()
        self._progress.begin(text, can_pause=can_pause)

    def show_paused(self, text: str) -> None:
        """Shows how far the task came that was paused, with a button that resumes it."""
        self._progress.show_paused(text)

    def show_progress(self, progress: Progress) -> None:
        """Shows the progress of the task."""
        self._progress.show_progress(progress.done, progress.total, progress.text)

    def end(self) -> None:
        """Hides the progress bar."""
        self._progress.hide()
        self._actions.show()
