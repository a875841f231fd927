"""The image that is tried, what the network gets of it, and what it answers."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent
from cnnstudio.data.dataset import Pixels
from cnnstudio.gui.pages.panel_parts import SIDE
from cnnstudio.gui.pages.try_image.certainty.nearest_strip import NearestStrip
from cnnstudio.gui.pages.try_image.certainty.rule import AnswerRule
from cnnstudio.gui.pages.try_image.certainty.threshold_box import ThresholdBox
from cnnstudio.gui.pages.try_image.image_list import ImageList
from cnnstudio.gui.pages.try_image.image_square import ImageSquare
from cnnstudio.gui.pages.try_image.layer_maps import LayerMaps
from cnnstudio.gui.pages.try_image.score_bars import ScoreBars, Scores
from cnnstudio.gui.pages.try_image.sources import TriedImage, describe_pixels
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.insight.confidence.judging import NOT_SURE, Verdict

_SMALLEST, _LARGEST, _GAP = 136, 480, 20
_SHARE = 0.4
"""Of the width, for the image."""
_BELOW = 200
"""The height that is left for what is below the image."""
_INPUT_SIDE = 64


class AnswerView(QWidget):
    """Image, input and list at the left; answer, scores, threshold, similar images and maps at the right."""

    threshold_moved = Signal(object)
    """The threshold that the user chooses, 0 to 1; None for the proposed one."""

    def __init__(self) -> None:
        super().__init__()
        self.image = ImageSquare(_SMALLEST)
        self.input = ImageSquare(_INPUT_SIDE)
        self.caption = Label(role="help", tone="secondary", wrap=True)
        self.list = ImageList()
        self.answer = ElidedLabel(role="answer")
        self.answer.setObjectName("tryAnswer")
        self.details = Label(role="help", tone="secondary", wrap=True)
        self.details.setObjectName("tryDetails")
        self.details.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.bars = ScoreBars()
        self.bars.threshold_moved.connect(self.threshold_moved)
        self.threshold = ThresholdBox()
        self.threshold.moved.connect(self.threshold_moved)
        self.nearest = NearestStrip()
        self.maps = LayerMaps()
        self._shown: tuple[TriedImage | None, bool] = (None, False)
        self._compose()

    def _compose(self) -> None:
        received = QHBoxLayout()
        received.setSpacing(12)
        received.addWidget(self.input)
        received.addWidget(self.caption, 1)
        self._left = QWidget()
        left = QVBoxLayout(self._left)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(8)
        left.addWidget(self.image)
        left.addLayout(received)
        left.addWidget(self.list, 1)
        right = QVBoxLayout()
        right.setSpacing(4)
        right.addWidget(self.answer)
        right.addWidget(self.details)
        right.addWidget(self.bars)
        for widget in (self.threshold, self.nearest):
            right.addSpacing(6)
            right.addWidget(widget)
        right.addSpacing(6)
        right.addWidget(self.maps, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(SIDE, 4, SIDE, 12)
        row.setSpacing(_GAP)
        row.addWidget(self._left)
        row.addLayout(right, 1)

    def minimumSizeHint(self) -> QSize:
        # Not that of the layout, which has the image as large as it is now.
        return QSize(2 * SIDE + _SMALLEST + _GAP + 200, _SMALLEST + _BELOW)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wanted = min(int((self.width() - 2 * SIDE - _GAP) * _SHARE), self.height() - _BELOW)
        side = min(max(wanted, _SMALLEST), _LARGEST)
        self._left.setFixedWidth(side)
        self.image.setFixedSize(side, side)

    def show_image(self, image: TriedImage | None, whole: Pixels | None) -> None:
        """Shows an image, and as what the network gets it; the whole image may come later."""
        if (image, whole is not None) == self._shown:
            return
        self._shown = image, whole is not None
        if image is None:
            self.image.show_image(None)
            self.input.show_image(None)
            self.caption.setText("")
            return
        text = describe_pixels(image)
        self.image.show_image(image.pixels if whole is None else whole, image.source.name)
        self.input.show_image(image.pixels, text)
        self.caption.setText(text)

    def show_scores(self, scores: Scores, actual: str, verdict: Verdict | None, rule: AnswerRule) -> None:
        """Shows the answer; `actual` is the class of the image, empty if it is not known.

        With a verdict, the scores are calibrated confidences, and the answer may be that it is not sure.
        """
        predicted, score = scores[0]
        self.answer.set_full_text(predicted if verdict is None or verdict.is_sure else NOT_SURE)
        known = "" if not actual else " · correct" if actual == predicted else f" · actual: {actual}"
        if verdict is None:
            self._show_details(f"Score: {format_percent(score)}{known}")
        elif verdict.is_sure:
            self._show_details(f"Confidence: {format_percent(score)}{known}")
        else:
            known = f" · actual: {actual}" if actual else ""
            self._show_details(f"{verdict.describe(plain_line(predicted))}{known}")
        self.bars.show_scores(scores, None if verdict is None else rule.threshold)

    def show_waiting(self) -> None:
        """Shows that an answer is awaited."""
        self.answer.set_full_text("…")
        self._show_details("")
        self.bars.show_scores(())

    def show_hint(self, hint: str) -> None:
        """Shows that there is no answer yet, and when there will be one."""
        self.show_waiting()
        self._show_details(hint)

    def show_problem(self, problem: str) -> None:
        """Shows why there is no answer."""
        self.answer.set_full_text("")
        self._show_details(problem, is_problem=True)
        self.bars.show_scores(())

    def _show_details(self, text: str, *, is_problem: bool = False) -> None:
        self.details.setText(text)
        self.details.set_tone("wrong" if is_problem else "secondary")
