"""What long trainings need: a computer that stays awake, and a notice when they end while nobody looks."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from cnnstudio.core.formatting import format_duration, format_percent
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.runs.keep_awake import KeepAwake
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_text
from cnnstudio.training.events import Event, Finished, Started

AWAKE_DELAY_MS = 60_000
"""A training that is over within it does not need the computer to be kept awake."""
_NOTICE_MS = 15_000
_AWAKE, _NOTICE = "keep_awake", "notify_at_end"
_OFF = "off"


class LongRuns(QObject):
    """Watches the session. Both parts can be switched off in the settings."""

    def __init__(
        self, session: TrainingSession, settings: Settings, window: QWidget, awake: KeepAwake | None = None
    ) -> None:
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._window = window
        self._awake = awake or KeepAwake()
        self._finished: Finished | None = None
        self._is_chosen_on_test = False
        """Whether the test images choose the best epoch of the last run that began."""
        self._was_training = False
        self._tray: QSystemTrayIcon | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(AWAKE_DELAY_MS)
        self._later.timeout.connect(self._on_long)
        session.state_changed.connect(self._on_state_changed)
        session.events.connect(self._on_events)

    @property
    def keeps_awake(self) -> bool:
        return self._settings.text(_AWAKE) != _OFF

    @property
    def notifies(self) -> bool:
        return self._settings.text(_NOTICE) != _OFF

    def toggle_keeping_awake(self) -> None:
        """Switches it on or off, also for a training in progress."""
        self._settings.set_text(_AWAKE, _OFF if self.keeps_awake else "on")
        if not self.keeps_awake:
            self._awake.stop()
        elif self._session.state is State.RUNNING:
            self._later.start()

    def toggle_notice(self) -> None:
        self._settings.set_text(_NOTICE, _OFF if self.notifies else "on")

    def close(self) -> None:
        """Lets the computer sleep, and removes the notice."""
        self._later.stop()
        self._awake.stop()
        self._hide_notice()

    def _on_state_changed(self, state: object) -> None:
        if state is State.RUNNING:
            self._was_training = True
            if not self._awake.is_on and not self._later.isActive():
                self._later.start()
        elif state in (State.PAUSED, State.IDLE):
            # What waits for the user may sleep.
            self._later.stop()
            self._awake.stop()
        if state is State.IDLE and self._was_training:
            self._was_training = False
            self._report_end()

    def _on_long(self) -> None:
        if self.keeps_awake and self._session.state is State.RUNNING:
            self._awake.start()

    def _on_events(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Started):
                self._is_chosen_on_test = event.validation == "test"
            elif isinstance(event, Finished):
                self._finished = event

    def _report_end(self) -> None:
        finished, self._finished = self._finished, None
        if finished is None or not self.notifies or self._is_in_front():
            return
        # Marks the window in the task bar, where there is one.
        QApplication.alert(self._window)
        if QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
            self._show_notice(*describe_end(finished, self._session, self._is_chosen_on_test))

    def _is_in_front(self) -> bool:
        return self._window.isActiveWindow() or QGuiApplication.focusWindow() is not None

    def _show_notice(self, title: str, text: str) -> None:
        if self._tray is None:
            self._tray = QSystemTrayIcon(theme().icon("train", "accent"), self)
            self._tray.setToolTip("CNN Studio")
            self._tray.messageClicked.connect(self._on_clicked)
            self._tray.activated.connect(lambda _: self._on_clicked())
        self._tray.show()
        self._tray.showMessage(title, text, self._tray.icon(), _NOTICE_MS)

    def _on_clicked(self) -> None:
        self._hide_notice()
        self._window.raise_()
        self._window.activateWindow()

    def _hide_notice(self) -> None:
        if self._tray is not None:
            self._tray.hide()
            self._tray.deleteLater()
            self._tray = None


def describe_end(finished: Finished, session: TrainingSession, is_chosen_on_test: bool) -> tuple[str, str]:
    """Title and text of the notice."""
    name = plain_line(session.network.name, 60) if session.network is not None else "Training"
    title = {"completed": f"{name} is trained", "stopped": f"{name} was stopped"}.get(
        finished.outcome, f"{name} failed"
    )
    parts = [plain_text(finished.reason, 200), f"Time: {format_duration(finished.seconds)}."]
    if finished.test is not None:
        chosen = " of the best epoch on the test images" if is_chosen_on_test else ""
        parts.insert(1, f"Test accuracy{chosen}: {format_percent(finished.test.accuracy)}.")
    return title, " ".join(part for part in parts if part)
