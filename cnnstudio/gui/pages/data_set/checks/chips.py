"""What the checks found, as chips with counts: a chip shows its images, and offers them for review."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_count, format_duration
from cnnstudio.core.progress import Progress
from cnnstudio.gui.pages.data_set.checks.check_runner import CheckRunner
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.flow import FlowLayout
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_line, plain_tooltip
from cnnstudio.gui.widgets.progress import show_done


class CheckChips(QWidget):
    """The chips, and below them whether the images were checked, or how far a check is."""

    chosen = Signal(object)
    """The key of the chip that the user chose; None when it is let go."""

    def __init__(self, runner: CheckRunner) -> None:
        super().__init__()
        self.setObjectName("checks")
        self._runner = runner
        self._buttons: dict[str, QPushButton] = {}
        self._flow = FlowLayout(spacing=6)
        self._state = ElidedLabel(role="help", tone="secondary")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedSize(96, 6)
        self._bar.setAccessibleName("Progress of the check")
        self._run = QPushButton("Check images")
        self._run.setObjectName("runChecks")
        self._run.setProperty("role", "small")
        self._run.clicked.connect(self._on_run)
        self._again = QPushButton("Check again", self)
        self._again.setObjectName("checkAgain")
        self._again.setProperty("role", "chip")
        self._again.setFont(theme().font("help"))
        self._again.setCursor(Qt.CursorShape.PointingHandCursor)
        self._again.clicked.connect(runner.start)
        self._row = QWidget()
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._bar)
        row.addWidget(self._state, 1)
        row.addWidget(self._run)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 0, 16, 8)
        column.setSpacing(6)
        column.addLayout(self._flow)
        column.addWidget(self._row)
        runner.changed.connect(self.show_state)
        runner.progressed.connect(self._on_progressed)
        self.version = ""
        """That of the data set now, which tells whether the report is of another one."""
        self.show_state()

    # The chips

    def show_chips(self, chips: Sequence[tuple[str, str, int | None, str]]) -> None:
        """(key, title, count, tooltip) of each; the count is None for what was not looked for."""
        chosen = self.chosen_key
        if [key for key, *_ in chips] != list(self._buttons):
            self._create([key for key, *_ in chips])
        for key, title, count, tooltip in chips:
            self._show_chip(self._buttons[key], title, count, tooltip)
            self._buttons[key].setChecked(key == chosen)

    def _create(self, keys: Sequence[str]) -> None:
        while (item := self._flow.takeAt(0)) is not None:
            old = item.widget()
            if old is not None and old is not self._again:
                old.hide()
                old.deleteLater()
        self._buttons = {}
        for key in keys:
            button = QPushButton(self)
            button.setObjectName(f"check_{key}")
            button.setCheckable(True)
            button.setFont(theme().font("help"))
            button.setProperty("role", "chip")
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(lambda on, key=key: self._on_clicked(key, on))
            self._flow.addWidget(button)
            button.show()
            self._buttons[key] = button
        self._flow.addWidget(self._again)
        # Tab goes through them before the images: they are younger than all that follows.
        for before, after in pairwise((self._run, *self._buttons.values(), self._again)):
            self.setTabOrder(before, after)

    def _show_chip(self, button: QPushButton, title: str, count: int | None, tooltip: str) -> None:
        if count is None:
            text, said = f"{title}  ?", f"{title}: not looked for"
        elif count:
            text, said = f"{title}  {format_count(count)}", f"{title}: {format_count(count)}"
        else:
            text, said = f"✓ {title}  none", f"{title}: none"
        button.setText(plain_entry(text))
        button.setAccessibleName(plain_line(said))
        button.setToolTip(plain_tooltip(tooltip))
        button.setEnabled(count != 0)

    @property
    def chosen_key(self) -> str | None:
        return next((key for key, button in self._buttons.items() if button.isChecked()), None)

    def choose(self, key: str | None) -> None:
        """Shows which chip is chosen, without emitting `chosen`."""
        for each, button in self._buttons.items():
            button.setChecked(each == key)

    def _on_clicked(self, key: str, on: bool) -> None:
        self.choose(key if on else None)
        self.chosen.emit(key if on else None)

    # The check

    def show_state(self) -> None:
        """Whether the images were checked, and how long that took."""
        runner = self._runner
        is_running, report = runner.is_running, runner.report
        self._row.setVisible(is_running or report is None)
        self._again.setVisible(not is_running and report is not None)
        self._bar.setVisible(is_running and not runner.is_resting)
        self._run.setText("Cancel" if is_running else "Check images")
        if runner.is_resting:
            self._state.set_full_text("The check goes on when the training has ended")
        elif is_running:
            self._bar.setRange(0, 0)
            self._state.set_full_text("Checking…")
        elif report is None:
            self._state.set_full_text("Not checked yet: duplicates, bad images, leaks")
        else:
            is_outdated = bool(self.version) and self.version != report.version
            when = ", before the last corrections" if is_outdated else ""
            text = f"Checked in {format_duration(max(report.seconds, 1))}{when}"
            self._again.setToolTip(text)
            self._again.setAccessibleDescription(text)

    def _on_progressed(self, progress: Progress) -> None:
        if self._runner.is_resting:
            return
        if progress.total:
            show_done(self._bar, progress.done, progress.total)
        self._state.set_full_text(progress.text)

    def _on_run(self) -> None:
        if self._runner.is_running:
            self._runner.cancel()
        else:
            self._runner.start()
