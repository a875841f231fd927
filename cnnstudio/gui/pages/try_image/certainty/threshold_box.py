"""The threshold of "not sure" with its curve, and what it does to accuracy and coverage."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.gui.pages.try_image.certainty.coverage_curve import CoverageCurve
from cnnstudio.gui.pages.try_image.certainty.rule import AnswerRule
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line
from cnnstudio.insight.confidence.judging import format_threshold

_FIGURES = 128


class ThresholdBox(QWidget):
    """Keeps its height: until the figures are known, a sentence says what is awaited or missing."""

    moved = Signal(object)
    """The threshold that the user chooses, 0 to 1; None for the proposed one."""

    def __init__(self) -> None:
        super().__init__()
        self.curve = CoverageCurve()
        self.curve.moved.connect(self.moved)
        self.hint = ElidedLabel(role="help", tone="secondary")
        self.hint.setObjectName("thresholdHint")
        self.value = Label("", "strong")
        self.value.setObjectName("thresholdValue")
        self.reset = QPushButton("Reset")
        self.reset.setObjectName("resetThreshold")
        self.reset.setProperty("role", "small")
        self.reset.setToolTip("Back to the proposed threshold, which halves the error rate of the answers")
        self.reset.clicked.connect(lambda: self.moved.emit(None))
        self.right = Label("", "strong", "good")
        self.right.setObjectName("answeredAccuracy")
        self.answered = Label("", "strong")
        self.answered.setObjectName("answeredShare")
        self._of_answers = Label("of those answered", "help", "secondary")
        self._of_images = ElidedLabel("", "help", "secondary")
        self._compose()

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label("“Not sure” below", "strong"))
        head.addWidget(self.value)
        head.addWidget(self.hint, 1)
        head.addWidget(self.reset)
        figures = QVBoxLayout()
        figures.setSpacing(0)
        for widget in (self.right, self._of_answers, self.answered, self._of_images):
            figures.addWidget(widget)
        figures.insertSpacing(2, 4)
        side = QWidget()
        side.setFixedWidth(_FIGURES)
        side.setLayout(figures)
        figures.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.curve, 1)
        row.addWidget(side, 0, Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(Line())
        column.addLayout(head)
        column.addLayout(row)

    def show_rule(self, rule: AnswerRule, hint: str) -> None:
        """Shows the threshold and its figures; `hint` stands in their place while they are not known."""
        reading, threshold = rule.reading, rule.threshold
        is_known = reading is not None and threshold is not None
        self.curve.setVisible(is_known)
        for widget in (self.right, self._of_answers, self.answered, self._of_images):
            widget.setVisible(is_known)
        self.reset.setVisible(rule.is_chosen and is_known)
        if reading is None or threshold is None:
            self.value.setText("")
            self.hint.set_full_text(hint)
            return
        self.value.setText(format_threshold(threshold))
        self.hint.set_full_text(f"drag the line · {reading.images}")
        accuracy = reading.accuracy(threshold)
        self.right.setText("nothing right" if accuracy is None else f"{format_percent(accuracy)} right")
        self.answered.setText(f"{format_percent(reading.coverage(threshold))} answered")
        self._of_images.set_full_text(f"of {pluralize(reading.total, 'image')}")
        self.curve.show_threshold(reading, threshold)
