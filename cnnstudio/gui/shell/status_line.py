"""The status at the left end of the bottom bar: what the program does, or what keeps it from training."""

from __future__ import annotations

import contextlib
import time

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.findings import Problem
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import RunFollower
from cnnstudio.gui.runs.status_text import describe_training_location
from cnnstudio.gui.widgets.labels import PartsLabel

_ACTIVITIES = {
    State.IDLE: "Ready",
    State.LOADING: "Loading images",
    State.RUNNING: "Training",
    State.PAUSED: "Paused",
    State.STOPPING: "Stopping",
}


class StatusLine(QWidget):
    """Shows activity, design and save state as text; the way to the first problem while there is one."""

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__()
        self._project = project
        self._session = session
        self._followed = self._progress = self._short_progress = ""
        self._saved_at: float | None = None
        self._text = PartsLabel(role="help", tone="secondary")
        self._text.setObjectName("statusMessage")
        self._problems = QPushButton("Show")
        self._problems.setObjectName("problemCount")
        self._problems.setProperty("role", "problem")
        self._problems.setToolTip("Go to the first problem")
        self._problems.setAccessibleName("Go to the first problem")
        self._problems.clicked.connect(self._on_problems_clicked)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._text, 1)
        row.addWidget(self._problems)
        project.analysis_changed.connect(self._refresh)
        project.file_changed.connect(self._on_file_changed)
        session.state_changed.connect(self._refresh)
        # Keeps "saved 2 min ago" current.
        self._timer = QTimer(self)
        self._timer.setInterval(10_000)
        self._timer.timeout.connect(self._refresh)
        self._on_file_changed(None)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _on_file_changed(self, _: object) -> None:
        path = self._project.path
        with contextlib.suppress(OSError):
            self._saved_at = None if path is None else path.stat().st_mtime
        self._refresh()

    def show_followed(self, follower: RunFollower) -> None:
        """Shows where the displayed run is trained, if another program trains it."""
        latest = follower.latest if follower.is_running else None
        followed = describe_training_location(latest) if latest is not None else ""
        if followed != self._followed:
            self._followed = followed
            self._refresh()

    def show_progress(self, text: str, short: str = "") -> None:
        """Shows the sentence on the progress of a training, for which a narrow toolbar has no room."""
        if (text, short) != (self._progress, self._short_progress):
            self._progress, self._short_progress = text, short
            self._refresh()

    def _refresh(self, _: object = None) -> None:
        problems = self._problems_to_show()
        self._problems.setVisible(bool(problems))
        is_idle = self._session.state is State.IDLE
        activity = _ACTIVITIES[self._session.state]
        if is_idle and self._followed:
            activity = self._followed
        design = self._project.network.name
        if trained := self._trained_name():
            activity, design = f"{activity} {trained}", f"open design: {design}"
        parts = [self._progress or activity, design, self._saved_text()]
        if problems:
            parts = [self._problem_text()] if is_idle else [activity, self._problem_text()]
            self._problems.setAccessibleDescription(problems[0].full_message)
        elif is_idle and self._project.analysis.problems:
            parts = [f"To train, add {self._project.analysis.problems[0].missing}"]
        text = " · ".join(part for part in parts if part)
        short = self._short_progress if text.startswith(self._progress) else ""
        self._text.set_texts(text, self._problem_count() if problems and is_idle else short)
        self._text.set_tone("wrong" if problems and is_idle else "secondary")

    def _trained_name(self) -> str:
        """The name of the network that is trained, if the open design is another one; else empty."""
        trained = self._session.network
        is_training = self._session.state in (State.RUNNING, State.PAUSED, State.STOPPING)
        is_other = trained is not None and trained.name != self._project.network.name
        return trained.name if trained is not None and is_training and is_other else ""

    def _saved_text(self) -> str:
        if self._project.is_modified:
            return "unsaved changes"
        if self._project.path is None or self._saved_at is None:
            return ""
        return f"saved {_ago(time.time() - self._saved_at)}"

    def _problems_to_show(self) -> list[Problem]:
        """The problems, without what is only missing yet."""
        return [*filter(self._project.is_error, self._project.analysis.problems)]

    def _problem_count(self) -> str:
        return f"Fix {pluralize(len(self._problems_to_show()), 'problem')} to train"

    def _problem_text(self) -> str:
        first = self._problems_to_show()[0].node_id
        if first is None:
            return self._problem_count()
        order = [node.id for node in self._project.network.walk()].index(first) + 1
        return f"{self._problem_count()}: layer {order}, {self._project.network.node(first).title}"

    def _on_problems_clicked(self) -> None:
        first = self._problems_to_show()[0]
        if first.node_id is not None:
            self._project.select((first.node_id,))
        else:
            self._project.message.emit(f"{first.full_message}.")


def _ago(seconds: float) -> str:
    if seconds < 10:
        return "just now"
    units = (("days", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    unit, length = next(found for found in units if seconds >= 1.5 * found[1] or found[1] == 1)
    return f"{seconds / length:.0f} {unit} ago"
