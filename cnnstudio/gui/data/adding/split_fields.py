"""How test images are chosen where a data set brings none: share, seed, and groups by file names."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QSpinBox, QWidget

from cnnstudio.data.dataset import DataError
from cnnstudio.data.versions.split_plan import SplitPlan
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

_DELAY_MS = 250
_LEAST_FIELD = 64
_MAX_SEED = 999_999
_GROUPS_HELP = (
    "Keeps images of one object in one split: those in whose file names this regular expression finds the "
    "same text. [^_]+ puts cat7_left.jpg and cat7_right.jpg together."
)


class SplitFields(QWidget):
    """Emits the plan a moment after the last change."""

    changed = Signal(object)
    """The SplitPlan."""

    def __init__(self) -> None:
        super().__init__()
        self.share = QSpinBox()
        self.share.setObjectName("testShare")
        self.share.setRange(1, 90)
        self.share.setValue(20)
        self.share.setSuffix("%")
        self.seed = QSpinBox()
        self.seed.setObjectName("splitSeed")
        self.seed.setRange(0, _MAX_SEED)
        self.groups = QLineEdit()
        self.groups.setObjectName("splitGroups")
        self.groups.setPlaceholderText("none, or [^_]+")
        self.groups.setToolTip(plain_tooltip(_GROUPS_HELP))
        self.groups.setMaxLength(1_000)
        self.problem = Label("", "help", "wrong", wrap=True)
        self.problem.setObjectName("splitProblem")
        self.problem.hide()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_DELAY_MS)
        self._later.timeout.connect(self._emit)
        self.share.valueChanged.connect(lambda _: self._later.start())
        self.seed.valueChanged.connect(lambda _: self._later.start())
        self.groups.textChanged.connect(lambda _: self._later.start())
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        rows = (("Test images", self.share), ("Seed", self.seed), ("Groups", self.groups))
        for line, (text, field) in enumerate(rows):
            label = Label(text, "help")
            label.setBuddy(field)
            field.setAccessibleName(text)
            # In a small window, there is less room than the longest seed takes.
            field.setMinimumWidth(_LEAST_FIELD)
            grid.addWidget(label, line, 0)
            grid.addWidget(field, line, 1)
        grid.addWidget(self.problem, len(rows), 0, 1, 2)
        grid.setColumnStretch(1, 1)

    def show_plan(self, plan: SplitPlan) -> None:
        """Shows a plan without emitting it."""
        for field in (self.share, self.seed, self.groups):
            field.blockSignals(True)
        self.share.setValue(round(100 * plan.share))
        self.seed.setValue(min(plan.seed, _MAX_SEED))
        self.groups.setText(plan.groups)
        for field in (self.share, self.seed, self.groups):
            field.blockSignals(False)
        self.show_problem("")

    def show_problem(self, problem: str) -> None:
        """Says why the images cannot be split like that; empty if they can."""
        self.problem.setText(plain_line(problem, 300))
        self.problem.setVisible(bool(problem))

    def plan(self) -> SplitPlan:
        """What the fields say. Raises DataError for a pattern that is none."""
        return SplitPlan(self.seed.value(), self.share.value() / 100, self.groups.text())

    def _emit(self) -> None:
        try:
            plan = self.plan()
        except DataError as error:
            self.show_problem(str(error))
            self.changed.emit(None)
        else:
            self.show_problem("")
            self.changed.emit(plan)

    def settle(self) -> None:
        """Emits at once what waits to be emitted."""
        if self._later.isActive():
            self._later.stop()
            self._emit()

    def close_tasks(self) -> None:
        self._later.stop()
