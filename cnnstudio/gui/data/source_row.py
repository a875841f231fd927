"""One data set in the dialog: what it is, how it stands, and what can be done with it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import count
from cnnstudio.core.progress import Progress
from cnnstudio.data.sources import Source
from cnnstudio.gui.widgets.labels import Label, Panel, Tone
from cnnstudio.gui.widgets.progress import ProgressLine


class SourceRow(Panel):
    """Shows one source. It does nothing itself: every button is a signal that carries the source."""

    use_requested = Signal(object)
    download_requested = Signal(object)
    archive_requested = Signal(object)
    removal_requested = Signal(object)
    cancel_requested = Signal(object)

    def __init__(self, source: Source, parent: QWidget | None = None) -> None:
        super().__init__(f"source_{source.name}")
        self.setParent(parent)
        self.source = source
        self.setAccessibleName(source.title)
        self._state = Label("", "help", "secondary")
        self._details = Label("", "help", "secondary", wrap=True)
        self._message = Label("", "help", "wrong", wrap=True)
        self._message.setObjectName("message")
        self._message.hide()
        self._progress = ProgressLine()
        self._progress.cancelled.connect(lambda: self.cancel_requested.emit(self.source))
        self._buttons = self._make_buttons()
        self._compose()
        self.show_state()

    def _make_buttons(self) -> dict[str, QPushButton]:
        title = self.source.title
        offers = {
            "use": ("Use", self.use_requested, f"Train on {title}"),
            "download": ("Download", self.download_requested, f"Download {title}"),
            "archive": ("Use my own archive…", self.archive_requested, f"Take {title} from your own archive"),
            "remove": ("Remove", self.removal_requested, f"Take {title} off this list; its images stay"),
        }
        buttons = {}
        for name, (text, signal, spoken) in offers.items():
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAccessibleName(spoken)
            button.setToolTip(spoken)
            button.clicked.connect(lambda _checked=False, signal=signal: signal.emit(self.source))
            buttons[name] = button
        return buttons

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.addWidget(Label(self.source.title, "strong"))
        head.addStretch(1)
        head.addWidget(self._state)
        self._actions = QWidget()
        line = QHBoxLayout(self._actions)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addStretch(1)
        for name in ("remove", "archive", "download", "use"):
            line.addWidget(self._buttons[name])
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(Label(self.source.description, "help", "secondary", wrap=True))
        for widget in (self._details, self._message, self._progress, self._actions):
            column.addWidget(widget)

    def show_state(self, busy: bool = False) -> None:
        """Which buttons there are; `busy` while work for any source is under way."""
        available = self.source.available()
        shown = {
            "use": available,
            "download": self.source.can_download and not available,
            "archive": self.source.can_import and not available,
            "remove": not self.source.built_in,
        }
        for name, button in self._buttons.items():
            button.setVisible(shown[name])
            button.setEnabled(not busy)
        text, tone = self._standing(available)
        self._state.setText(text)
        self._state.set_tone(tone)

    def _standing(self, available: bool) -> tuple[str, Tone]:
        if available:
            return "✓ Ready", "good"
        if self.source.built_in:
            return "Not on this computer", "secondary"
        return "Its folder is missing", "wrong"

    def show_info(self, info: dict[str, Any]) -> None:
        """What is known of it without loading."""
        facts = []
        if info.get("classes"):
            facts.append(f"{count(len(info['classes']))} classes")
        if info.get("train"):
            facts.append(f"{count(info['train'])} training images")
        if info.get("test"):
            facts.append(f"{count(info['test'])} test images")
        self._details.setText(" · ".join(facts))
        self._details.setVisible(bool(facts))
        if info.get("problem"):
            self.show_message(str(info["problem"]), wrong=True)

    def show_message(self, sentence: str, *, wrong: bool) -> None:
        """A sentence below the description; an empty one hides it."""
        self._message.setText(sentence)
        self._message.set_tone("wrong" if wrong else "good")
        self._message.setVisible(bool(sentence))

    def begin(self, sentence: str) -> None:
        """Shows the bar for work that starts now, in place of the last message."""
        self.show_message("", wrong=False)
        self._actions.hide()
        self._progress.begin(sentence)

    def show_progress(self, progress: Progress) -> None:
        """Where that work stands."""
        self._progress.show_progress(progress.done, progress.total, progress.text)

    def end(self) -> None:
        """Takes the bar away."""
        self._progress.hide()
        self._actions.show()
