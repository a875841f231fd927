"""Asks what the network says to the chosen image, and shows it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.pages.try_image.answer_view import AnswerView
from cnnstudio.gui.pages.try_image.answers.asking import (
    BatchAnswer,
    ask_alone,
    ask_maps,
    ask_nearest,
    ask_not_sure,
    describe_weights,
    epoch_to_ask,
    nearest_in,
)
from cnnstudio.gui.pages.try_image.answers.last_answers import LastAnswers
from cnnstudio.gui.pages.try_image.certainty.rule import AnswerRule
from cnnstudio.gui.pages.try_image.previews import Previews
from cnnstudio.gui.pages.try_image.score_bars import ROWS
from cnnstudio.gui.pages.try_image.sources import TriedImage
from cnnstudio.gui.pages.try_image.tried_images import TriedImages
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.insight.confidence.judging import Verdict
from cnnstudio.insight.confidence.temperature import calibrated
from cnnstudio.insight.instruments.not_sure import NotSureReading

_FIRST_EPOCH = "The network answers as soon as its first epoch has ended."
_AFTER_TRAINING = "Available after training"


class AnswerPresenter(QObject):
    """Fills the view with answers, and a label with the weights that gave them."""

    overdue = Signal()
    """What is awaited takes so long that it has to be shown anew."""

    def __init__(
        self,
        images: TriedImages,
        previews: Previews,
        rule: AnswerRule,
        view: AnswerView,
        weights: ElidedLabel,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._images = images
        self._previews = previews
        self._rule = rule
        self._view = view
        self._weights = weights
        self._answers = LastAnswers(self)
        self._answers.overdue.connect(self.overdue)
        self._maps_of: tuple[TriedImage, str] | None = None
        """The image and the layer whose maps are shown."""

    @property
    def epoch(self) -> int | None:
        """The epoch of the weights whose answers are shown."""
        return self._answers.epoch

    def forget(self) -> None:
        """Another run is shown: what its network said must not be taken for the answer of this one."""
        self._answers.forget()
        self._maps_of = None

    def stop_waiting(self) -> None:
        """Nobody looks."""
        self._answers.stop_waiting()

    def show(self, readings: MomentReadings, layer: str | None) -> None:
        """Asks, and shows what is known; `layer` is the one whose feature maps are shown."""
        view = self._view
        epoch, found = self._answers.ask(readings, self._images.batches)
        certainty = self._ask_certainty(readings, epoch)
        answers = []
        for each in found:
            answers += each.answers(self._verdicts(readings, each, epoch))
        view.list.show_images(self._images.images, answers, self._images.index)
        chosen = self._images.chosen
        if chosen is None:
            view.show_image(None, None)
            view.show_waiting()
            return
        view.show_image(chosen, self._previews.get(chosen.source))
        answer = next(each for each in found if chosen in each.batch.images)
        if answer.answer.is_pending:
            answer = ask_alone(readings, chosen, epoch)
        self._show_answer(chosen, answer, readings, epoch)
        self._show_nearest(chosen, readings, epoch)
        view.threshold.show_rule(self._rule, certainty)
        self._show_maps(chosen, layer, readings, epoch)

    def _ask_certainty(self, readings: MomentReadings, epoch: int) -> str:
        """Takes over what is known of the confidence; says what is awaited or missing."""
        if readings.moment.is_live:
            # It would take the training's time again after each epoch.
            self._rule.show_reading(None)
            return _AFTER_TRAINING
        answer = ask_not_sure(readings, epoch)
        self._rule.show_reading(answer.reading if isinstance(answer.reading, NotSureReading) else None)
        return answer.problem or _describe_progress("Evaluating", answer.progress)

    def _verdicts(self, readings: MomentReadings, found: BatchAnswer, epoch: int) -> list[Verdict] | None:
        scores = found.reading
        if scores is None or self._rule.rule is None:
            return None
        nearest = nearest_in(ask_nearest(readings, found.batch.own_images, epoch))
        return self._rule.verdicts(scores, nearest)

    def _show_answer(
        self, chosen: TriedImage, found: BatchAnswer, readings: MomentReadings, epoch: int
    ) -> None:
        answer, reading, title = found.answer, found.reading, readings.moment.record.title
        if reading is not None and answer.epoch is not None:
            row = found.batch.images.index(chosen)
            verdicts = self._verdicts(readings, found, epoch)
            rule = self._rule.rule
            factor = 1.0 if rule is None or verdicts is None else rule.temperature
            shown = calibrated(reading.probabilities[row : row + 1], factor)[0]
            scores = tuple((reading.classes[at], float(shown[at])) for at, _ in reading.top(row, ROWS))
            verdict = None if verdicts is None else verdicts[row]
            self._view.show_scores(scores, chosen.source.actual, verdict, self._rule)
            self._weights.set_full_text(describe_weights(readings.moment, answer.epoch))
        elif answer.problem and readings.moment.is_live and readings.moment.record.last_epoch == 0:
            self._view.show_hint(_FIRST_EPOCH)
            self._weights.set_full_text(title)
        elif answer.problem:
            self._view.show_problem(answer.problem)
            self._weights.set_full_text(title)
        else:
            self._view.show_waiting()
            self._weights.set_full_text(f"Epoch {epoch_to_ask(readings.moment)}…")

    def _show_nearest(self, chosen: TriedImage, readings: MomentReadings, epoch: int) -> None:
        if readings.moment.is_live:
            self._view.nearest.show_nearest(None, 0, _AFTER_TRAINING)
            return
        answer = ask_nearest(readings, chosen.own_images, epoch)
        hint = answer.problem or _describe_progress("Comparing", answer.progress)
        self._view.nearest.show_nearest(nearest_in(answer), 0, hint)

    def _show_maps(self, chosen: TriedImage, layer: str | None, readings: MomentReadings, epoch: int) -> None:
        maps = self._view.maps
        maps.show_layers(readings.network, layer)
        if layer is None:
            return
        answer = ask_maps(readings, chosen.own_images, layer, epoch)
        if not answer.is_pending:
            self._maps_of = chosen, layer
        elif self._maps_of == (chosen, layer) and self._answers.may_stay:
            return
        maps.show_answer(answer, readings.classes, f"Epoch {epoch}…")


def _describe_progress(what: str, done: float | None) -> str:
    return f"{what}…" if done is None else f"{what}… {100 * done:.0f}%"
