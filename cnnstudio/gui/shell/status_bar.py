"""The line at the bottom: at the left what the program is doing, at the right what is wrong."""

from __future__ import annotations

import contextlib
import time

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QPushButton, QStatusBar

from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import Follower
from cnnstudio.gui.runs.status_text import trained_where
from cnnstudio.gui.widgets.labels import Label

_WORDS = {
    State.IDLE: "Ready",
    State.LOADING: "Loading the images",
    State.RUNNING: "Training",
    State.PAUSED: "Paused",
    State.STOPPING: "Stopping",
}


class StatusLine(QStatusBar):
    """Says in words what the window shows elsewhere in images."""

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__()
        self._project = project
        self._session = session
        self._followed = ""
        self._saved_at: float | None = None
        self._text = Label(role="help", tone="secondary")
        self._text.setContentsMargins(12, 4, 12, 4)
        self._text.setObjectName("statusMessage")
        self._problems = QPushButton()
        self._problems.setObjectName("problemCount")
        self._problems.setProperty("role", "problem")
        self._problems.setToolTip("Go to the faulty layer")
        self._problems.clicked.connect(self._on_problems_clicked)
        self.setSizeGripEnabled(False)
        self.addWidget(self._text, 1)
        self.addPermanentWidget(self._problems)
        project.network_changed.connect(self._refresh)
        project.dataset_changed.connect(self._refresh)
        project.file_changed.connect(self._on_file_changed)
        session.state_changed.connect(self._refresh)
        # "saved 12 s ago" has to grow old by itself.
        self._clock = QTimer(self)
        self._clock.setInterval(10_000)
        self._clock.timeout.connect(self._refresh)
        self._refresh()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._clock.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._clock.stop()

    def _on_file_changed(self, _: object) -> None:
        path = self._project.path
        with contextlib.suppress(OSError):
            self._saved_at = None if path is None else path.stat().st_mtime
        self._refresh()

    def show_followed(self, follower: Follower) -> None:
        """Says that the run which is shown is trained by another program."""
        followed = trained_where(follower.look) if follower.look is not None and follower.is_running else ""
        if followed != self._followed:
            self._followed = followed
            self._refresh()

    def _refresh(self, _: object = None) -> None:
        doing = _WORDS[self._session.state]
        if self._session.state is State.IDLE and self._followed:
            doing = self._followed
        parts = [doing, self._project.network.name, self._saved_words()]
        self._text.setText(" · ".join(part for part in parts if part))
        problems = self._project.analysis.problems
        self._problems.setVisible(bool(problems))
        if problems:
            self._problems.setText(self._problem_words())
            self._problems.setAccessibleDescription(problems[0].sentence)

    def _saved_words(self) -> str:
        if self._project.is_modified:
            return "not saved"
        if self._project.path is None or self._saved_at is None:
            return ""
        return f"saved {_ago(time.time() - self._saved_at)}"

    def _problem_words(self) -> str:
        problems = self._project.analysis.problems
        first = problems[0].node_id
        count = "One problem" if len(problems) == 1 else f"{len(problems)} problems"
        if first is None:
            return f"{count} in the network"
        order = [node.id for node in self._project.network.walk()].index(first) + 1
        return f"{count} in the network: layer {order}, {self._project.network.node(first).title}"

    def _on_problems_clicked(self) -> None:
        first = self._project.analysis.problems[0]
        if first.node_id is not None:
            self._project.select((first.node_id,))
        else:
            self._project.message.emit(f"{first.sentence}.")


def _ago(seconds: float) -> str:
    if seconds < 10:
        return "just now"
    units = (("days", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    unit, length = next(found for found in units if seconds >= 1.5 * found[1] or found[1] == 1)
    return f"{seconds / length:.0f} {unit} ago"
