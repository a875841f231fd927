"""One format of the export: its name and size, its state, what that means in figures, and what one can do."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_bytes, format_count, join_words, screen_reader_text
from cnnstudio.core.progress import Progress
from cnnstudio.export import Exporter
from cnnstudio.gui.export.outcomes import FormatOutcome
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Tone
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.progress import show_done

_TEXT_HEIGHT = 68
"""Four lines: the same in every state, so that nothing moves when it changes."""
_PADDING = 12


class FormatCard(QFrame):
    """Shows what it is told; asks its owner for everything else."""

    export_wanted = Signal(bool)
    """Whether the files are to be compared with the original model."""
    cancel_wanted = Signal()
    open_wanted = Signal()
    copy_wanted = Signal()

    def __init__(self, exporter: Exporter) -> None:
        super().__init__()
        self.exporter = exporter
        self.setObjectName(f"format_{exporter.name}")
        self.setProperty("role", "card")
        self._estimate: int | None = None
        self._is_stopping = False
        self._name = ElidedLabel(exporter.title, "strong")
        self._size = Label("", "help", "secondary")
        self._size.setFont(theme().monospace("help"))
        self._state = Label("", "help", wrap=True)
        self._state.setObjectName(f"state_{exporter.name}")
        self._figure = Label("", "help", "secondary", wrap=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(f"Progress of {exporter.title}")
        self._export = self._button("export", "Export")
        self._cancel = self._button("cancel", "Cancel")
        self._cancel.setToolTip("Ends this export; no file is written or replaced.")
        self._open = self._button("open", "Open folder")
        self._copy = self._button("copy", "Copy code")
        self._compose()
        self._make_menu()
        self._connect()
        self.show_idle()

    def _button(self, purpose: str, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"{purpose}_{self.exporter.name}")
        button.setProperty("role", "small")
        button.setAccessibleName(f"{text}: {self.exporter.title}")
        return button

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._name, 1)
        head.addWidget(self._size)
        texts = QWidget()
        texts.setMinimumHeight(_TEXT_HEIGHT)
        column = QVBoxLayout(texts)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._state)
        column.addWidget(self._figure)
        column.addWidget(self._bar)
        column.addStretch(1)
        acts = QHBoxLayout()
        acts.setSpacing(8)
        for button in (self._export, self._open, self._copy):
            acts.addWidget(button)
        acts.addStretch(1)
        acts.addWidget(self._cancel)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(_PADDING, 10, _PADDING, _PADDING)
        outer.setSpacing(4)
        outer.addLayout(head)
        outer.addWidget(texts, 1)
        outer.addLayout(acts)

    def _make_menu(self) -> None:
        """What is needed rarely: a right click, or the menu key."""
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.again = QAction("Export and verify", self)
        self.unverified = QAction("Export without verifying", self)
        self.again.triggered.connect(lambda: self.export_wanted.emit(True))
        self.unverified.triggered.connect(lambda: self.export_wanted.emit(False))
        self.addActions([self.again, self.unverified])

    def _connect(self) -> None:
        self._export.clicked.connect(lambda: self.export_wanted.emit(not self.exporter.verification_obstacle))
        self._cancel.clicked.connect(self._on_cancel)
        self._open.clicked.connect(self.open_wanted)
        self._copy.clicked.connect(self.copy_wanted)

    def _on_cancel(self) -> None:
        had_focus = self._cancel.hasFocus()
        self.cancel_wanted.emit()
        if had_focus:
            self.take_focus()

    # What the owner says

    def set_estimate(self, size: int | None) -> None:
        """How large the files will probably be, in bytes; None if that is unknown."""
        self._estimate = size

    def set_possible(self, possible: bool) -> None:
        """Whether an export can begin now."""
        can_write = possible and not self.exporter.obstacle
        self._export.setEnabled(can_write)
        self.again.setEnabled(can_write and not self.exporter.verification_obstacle)
        self.unverified.setEnabled(can_write)

    def take_focus(self) -> None:
        """Gives the focus to what one can do next."""
        buttons = (self._cancel, self._open, self._export)
        next((each for each in buttons if not each.isHidden() and each.isEnabled()), self._export).setFocus()

    @property
    def has_focus(self) -> bool:
        return any(each.hasFocus() for each in (self._export, self._cancel, self._open, self._copy))

    # States

    def show_idle(self, replaced: str = "") -> None:
        """Not exported yet, or why it cannot be exported; `replaced` are the files that would go."""
        missing, unverifiable = self.exporter.obstacle, self.exporter.verification_obstacle
        figure = f"This will replace {replaced}" if replaced else self.exporter.description
        self._export.setText("Export")
        if missing:
            self._show(f"Not available here: {missing}", "secondary", figure)
        elif unverifiable:
            self._export.setText("Export unverified")
            self._show(f"Cannot be verified here: {unverifiable}", "secondary", figure)
        else:
            self._show("Not exported yet", "secondary", figure)
        self._show_size(self._estimate, "about ")
        self._show_acts(self._export)

    def show_waiting(self) -> None:
        """Others are exported first."""
        self._is_stopping = False
        self._begin("Waiting…")

    def show_stopping(self) -> None:
        """It was asked to end, and has not yet."""
        self._is_stopping = True
        self._begin("Canceling…")
        self._bar.setRange(0, 0)

    def show_progress(self, progress: Progress) -> None:
        if self._is_stopping:
            return
        self._begin(progress.text)
        show_done(self._bar, progress.done, progress.total)

    def show_outcome(self, outcome: FormatOutcome) -> None:
        """Verified, written without a comparison, or not written and why."""
        if outcome.result is None:
            if outcome.is_cancelled:
                self._show(outcome.error, "secondary", "")
            else:
                self._show(f"✗ {outcome.error}", "wrong", "")
            self._show_size(self._estimate, "about ")
            self._export.setText("Export" if outcome.is_cancelled else "Try again")
            self._show_acts(self._export)
            return
        result = outcome.result
        files = join_words([path.name for path in result.files])
        if result.largest_difference is None:
            self._show("Exported, not verified", "text", files)
        else:
            count = format_count(result.images)
            largest = f"{result.largest_difference:.1e}" if result.largest_difference else "0"
            self._show(
                f"✓ Verified: {count} of {count} images agree",
                "good",
                f"largest difference {largest}\n{files}",
            )
        self.setToolTip(plain_tooltip(result.message))
        self.setAccessibleDescription(screen_reader_text(plain_line(result.message)))
        self._show_size(outcome.bytes)
        self._show_acts(self._open, *([self._copy] if outcome.code else []))

    # Parts

    def _begin(self, text: str) -> None:
        self._show(text, "text", "")
        show_done(self._bar, 0, 1)
        self._bar.show()
        self._export.setEnabled(False)
        self._show_acts(self._export, self._cancel)

    def _show(self, state: str, tone: Tone, figure: str) -> None:
        self._state.set_tone(tone)
        self._state.setText(state)
        self._figure.setText(figure)
        self._figure.setVisible(bool(figure))
        self._bar.hide()
        self.setToolTip("")
        self.setAccessibleName(screen_reader_text(plain_line(f"{self.exporter.title}: {state}")))
        self.setAccessibleDescription(screen_reader_text(plain_line(figure)))

    def _show_size(self, size: int | None, about: str = "") -> None:
        self._size.setText(f"{about}{format_bytes(size)}" if size else "")

    def _show_acts(self, *shown: QPushButton) -> None:
        for button in (self._export, self._open, self._copy, self._cancel):
            button.setVisible(button in shown)
