"""Recognizes problems of a training from its events, and says what to try.

Each kind of problem is reported once, unless the user changes the recipe, and withdrawn when it is gone. The
rules look for common mistakes and report nothing when in doubt: a false warning costs more trust than a
missing one. The chance level is the loss of a network that has learned nothing, ln(classes).

Dead units and an unsuitable learning rate cause the other symptoms, too. As long as one of them is reported,
the rules for epochs are silent.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from statistics import mean, stdev

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.formatting import format_percent
from cnnstudio.core.parameters import parameters
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.training.diagnosis.remedies import advice
from cnnstudio.training.diagnosis.validation_gap import ValidationImages, explain_gap
from cnnstudio.training.events import (
    Diagnosed,
    DiagnosisKind,
    EpochEnded,
    Event,
    Finished,
    Progress,
    RecipeChanged,
    Recovered,
    Started,
    UnitsChecked,
)
from cnnstudio.training.recipe.recipe import Recipe

_SMOOTHING = 0.95
"""Decay of the running mean of the losses."""
_MIN_STEPS = 30
"""With fewer steps, the losses are too noisy to judge."""

_ABOVE_CHANCE = 1.5
"""A mean loss above this multiple of the chance level means that the steps are too large."""

_SPIKE = 2.0
"""So does a single loss above this multiple, if nothing is learned."""

_NOTHING_LEARNED = 0.97
"""If an epoch's mean loss is above this fraction of the chance level, nothing is learned."""

_WARMED_UP = 0.9
"""The rate is judged only after it has reached this fraction of the recipe's rate, the schedule's peak."""

_FLAT = 0.03
"""If the rate is too low, the loss changes over an epoch by at most this fraction."""

_HARDLY_MOVED = 0.02
_HARDLY_MOVED_IN_ALL = 0.3
"""And no layer's weights change by more than these fractions, in an epoch and in all that are planned.

The loss alone does not show it: a network that cannot learn has the same. At usual rates the weights of small
networks change by 5% and more, even in an epoch of 30 steps (`make advice`).
"""

_MOVED_TOO_FAR = 1.0
"""And the rate is too high if some layer's weights change by more than this fraction in an epoch.

At usual rates they change by at most half in the first epoch, and then by less (`make advice`).
"""

# Overfitting: the lowest validation loss is at least so many epochs old, has risen and the training loss has
# fallen since then by these factors, and the accuracies differ by at least the gap.
_OVERFITTING_EPOCHS = 2
_RISEN = 1.05
_FALLEN = 0.95
_MIN_ACCURACY_GAP = 0.03

# A plateau: no loss has improved by more than 1% for so many epochs, after something was learned. What has
# learned nothing is not helped by a lower rate at the end.
_PLATEAU_EPOCHS = 4
_IMPROVED = 0.99
_NEARLY_PERFECT = 0.99
_HIGH_RATE = 0.3
"""A fraction of the recipe's rate. Below it the schedule is ending, and a plateau is normal."""

_MIN_UNITS = 4
_MAX_DEAD = 0.5
_MAX_DEAD_VALUES = 0.95
"""The same for the units of a flat layer. A feature map has thousands of positions in the sample images where
it can be active, a single value only one per image: even in a good network, half of a Dense layer's units are
0 for all of so few images."""


class Diagnosis:
    """Follows the events of one run. Feed it each event once, in order."""

    def __init__(self, recipe: Recipe, network: Network) -> None:
        self._recipe = recipe
        self._network = network
        self._reported: set[DiagnosisKind] = set()
        self._open: dict[DiagnosisKind, float] = {}
        """What was reported and not withdrawn -> after how many epochs it was reported."""
        self._epochs: list[EpochEnded] = []
        self._classes = 0
        self._validation = ValidationImages()
        self._epochs_done = 0.0
        self._steps = _Steps()
        self._pending: EpochEnded | None = None
        reports = [report for report in analyze(network).reports if report.output is not None]
        self._flat_layers = {report.node.id for report in reports if report.output and report.output.is_flat}

    def feed(self, event: Event) -> Iterator[Diagnosed | Recovered]:
        """What this event shows, or what is gone. The diagnoses of a Finished belong before it."""
        # UnitsChecked follows its EpochEnded. The epoch waits for it, because dead units explain the other
        # symptoms. If units are not checked in this run, the next Progress or Finished ends the wait.
        if isinstance(event, UnitsChecked):
            yield from self._check_units(event)
        if self._pending is not None and isinstance(event, UnitsChecked | Progress | Finished):
            ended, self._pending = self._pending, None
            yield from self._check_epoch(ended)
        match event:
            case Started():
                self._classes = len(event.classes)
                self._validation = ValidationImages(event.validation_images, event.validation)
            case Progress():
                self._epochs_done = event.epoch
                self._steps.add(event.losses)
                yield from self._check_steps()
            case EpochEnded():
                self._epochs_done = float(event.epoch)
                self._epochs.append(event)
                self._pending = event
            case RecipeChanged():
                self._start_over(event)
            case Finished():
                yield from self._check_end(event)

    def _report(self, kind: DiagnosisKind, message: str, to_try: str = "") -> Iterator[Diagnosed]:
        if kind not in self._reported:
            self._reported.add(kind)
            self._open[kind] = self._epochs_done
            to_try = to_try or advice(kind, self._recipe, self._network)
            yield Diagnosed(kind, self._epochs_done, message, to_try)

    def with_diagnoses(self, event: Event) -> list[Event]:
        """The event and its diagnoses: after it, but before a Finished, which is always the last event."""
        found = list(self.feed(event))
        return [*found, event] if isinstance(event, Finished) else [event, *found]

    def _start_over(self, event: RecipeChanged) -> None:
        """After a change by the user, earlier losses say nothing about later ones; except for more epochs."""
        self._recipe = _with_change(self._recipe, event)
        if event.name != "epochs":
            self._reported.clear()
            self._open.clear()
            self._epochs.clear()
            self._steps = _Steps()
            self._pending = None

    def _check_end(self, event: Finished) -> Iterator[Diagnosed]:
        if event.cause == "not_finite":
            yield from self._report("diverged", "The training diverged: the loss became NaN or infinite.")
        elif event.cause == "memory":
            yield from self._report("memory", "There is not enough memory for a batch.")

    def _check_steps(self) -> Iterator[Diagnosed]:
        steps, chance = self._steps, self._chance
        if not chance or steps.count < _MIN_STEPS:
            return
        if steps.current > _ABOVE_CHANCE * max(chance, steps.initial):
            yield from self._report_rate_too_high(
                f"The loss rose from {steps.initial:.2f} to {steps.current:.2f} instead of falling"
            )

    def _check_epoch(self, ended: EpochEnded) -> Iterator[Diagnosed | Recovered]:
        yield from self._check_recovery(ended)
        steps, self._steps = self._steps, self._steps.next()
        rules: list[Callable[[], Iterator[Diagnosed]]] = [
            lambda: self._check_nothing_learned(ended, steps),
            self._check_overfitting,
            self._check_plateau,
            self._check_validation_better,
        ]
        if not self._open.keys() & {"rate_too_high", "rate_too_low", "dead_units"}:
            for rule in rules:
                yield from rule()

    def _check_recovery(self, ended: EpochEnded) -> Iterator[Recovered]:
        """Withdraws what a whole epoch since the report contradicts."""
        before = self._epochs[:-1]
        learns = ended.train.loss < _NOTHING_LEARNED * self._chance
        gone: dict[DiagnosisKind, bool] = {
            "rate_too_low": learns,
            "rate_too_high": learns,
            "overfitting": all(ended.validation.loss < epoch.validation.loss for epoch in before),
            "plateau": all(ended.train.loss < _IMPROVED * epoch.train.loss for epoch in before)
            or all(ended.validation.loss < _IMPROVED * epoch.validation.loss for epoch in before),
            "validation_better": ended.validation.accuracy <= ended.train.accuracy,
        }
        for kind, is_gone in gone.items():
            if is_gone and self._open.get(kind, ended.epoch) <= ended.epoch - 1:
                del self._open[kind]
                yield Recovered(kind, self._epochs_done)

    @property
    def _chance(self) -> float:
        return math.log(self._classes) if self._classes > 1 else 0.0

    def _report_rate_too_high(self, observed: str) -> Iterator[Diagnosed]:
        yield from self._report("rate_too_high", f"{observed}: the learning rate may be too high.")

    def _check_nothing_learned(self, ended: EpochEnded, steps: _Steps) -> Iterator[Diagnosed]:
        if not self._chance or steps.count < _MIN_STEPS:
            return
        if ended.train.loss < _NOTHING_LEARNED * self._chance:
            return
        observed = f"The network learns nothing (a loss of {ended.train.loss:.2f} is no better than guessing)"
        if steps.highest > _SPIKE * max(self._chance, steps.initial):
            yield from self._report_rate_too_high(
                f"{observed}, and the loss of single steps rose to {steps.highest:.1f}"
            )
        elif (change := ended.weight_change or 0.0) > _MOVED_TOO_FAR:
            yield from self._report_rate_too_high(
                f"{observed}, and its weights changed by {format_percent(change)} in this epoch"
            )
        elif steps.is_flat and self._weights_hardly_move():
            message = (
                f"{observed}, and its weights hardly change (by "
                f"{_small_percent(ended.weight_change or 0.0)} in this epoch): the learning rate is too low."
            )
            yield from self._report("rate_too_low", message)

    def _weights_hardly_move(self) -> bool:
        """Not during the warm-up: an epoch must have ended near the recipe's rate."""
        changes = [ended.weight_change for ended in self._epochs]
        rates = [ended.learning_rate for ended in self._epochs]
        if None in changes or max(rates) < _WARMED_UP * self._recipe.learning_rate:
            return False
        # The largest of all epochs: a network that has learned what it can hardly moves any more.
        largest = max(change for change in changes if change is not None)
        return largest < _HARDLY_MOVED and largest * self._recipe.epochs < _HARDLY_MOVED_IN_ALL

    def _check_overfitting(self) -> Iterator[Diagnosed]:
        best = min(self._epochs, key=lambda epoch: epoch.validation.loss)
        last = self._epochs[-1]
        if (
            last.epoch - best.epoch >= _OVERFITTING_EPOCHS
            and last.validation.loss >= _RISEN * best.validation.loss
            and last.train.loss <= _FALLEN * best.train.loss
            and last.train.accuracy - last.validation.accuracy >= _MIN_ACCURACY_GAP
        ):
            yield from self._report(
                "overfitting",
                f"Overfitting: since epoch {best.epoch} the validation loss has risen from "
                f"{best.validation.loss:.2f} to {last.validation.loss:.2f}, while the training loss fell "
                f"from {best.train.loss:.2f} to {last.train.loss:.2f}.",
            )

    def _check_plateau(self) -> Iterator[Diagnosed]:
        before, since = self._epochs[:-_PLATEAU_EPOCHS], self._epochs[-_PLATEAU_EPOCHS:]
        last = self._epochs[-1]
        if (
            not before
            or "overfitting" in self._reported
            or last.epoch >= self._recipe.epochs
            or last.train.accuracy >= _NEARLY_PERFECT
            or (self._chance and last.train.loss >= _NOTHING_LEARNED * self._chance)
            or last.learning_rate < _HIGH_RATE * self._recipe.learning_rate
        ):
            return

        def is_flat(loss: Callable[[EpochEnded], float]) -> bool:
            return min(map(loss, since)) > _IMPROVED * min(map(loss, before))

        if is_flat(lambda epoch: epoch.validation.loss) and is_flat(lambda epoch: epoch.train.loss):
            yield from self._report(
                "plateau",
                f"Plateau: for {_PLATEAU_EPOCHS} epochs, neither the training nor the validation loss has "
                "fallen by more than 1%.",
            )

    def _check_validation_better(self) -> Iterator[Diagnosed]:
        found = explain_gap(self._epochs, self._recipe, self._network, self._validation)
        if found is not None:
            yield from self._report("validation_better", *found)

    def _check_units(self, event: UnitsChecked) -> Iterator[Diagnosed | Recovered]:
        """Reports the first layer that is mostly dead; the layers after it get hardly anything from it."""
        if event.epoch < 1:
            return
        self._epochs_done = float(event.epoch)
        for node_id, dead, total in zip(event.layers, event.dead, event.total, strict=True):
            limit = _MAX_DEAD_VALUES if node_id in self._flat_layers else _MAX_DEAD
            if node_id in self._network.locked_ids:
                continue  # as it came: nothing in the recipe changes it
            if total >= _MIN_UNITS and dead > limit * total:
                share = "All" if dead == total else format_percent(dead / total)
                message = (
                    f"{share} of the {total} units of {self._title(node_id)} are dead: they output 0 for "
                    "every image and no longer learn."
                )
                yield from self._report("dead_units", message)
                return
        if self._open.pop("dead_units", None) is not None:
            yield Recovered("dead_units", self._epochs_done)

    def _title(self, node_id: str) -> str:
        try:
            return self._network.node(node_id).title
        except KeyError:
            return node_id


def _small_percent(fraction: float) -> str:
    """`0.4%`, or `less than 0.1%`."""
    return "less than 0.1%" if fraction < 0.001 else format_percent(fraction)


def _with_change(recipe: Recipe, event: RecipeChanged) -> Recipe:
    """The recipe after the change; unchanged if the text in the event cannot be parsed."""
    parameter = next((each for each in parameters(recipe) if each.name == event.name), None)
    for read in (int, float, str):
        if parameter is not None:
            with contextlib.suppress(ValueError, ParameterError):
                return recipe.replace(**{event.name: parameter.validate(read(event.after))})
    return recipe


class _Steps:
    """The losses of the steps of an epoch."""

    def __init__(self, initial: float | None = None) -> None:
        self._losses: list[float] = []
        self._initial = initial
        self._sum = self._weight = 0.0

    def next(self) -> _Steps:
        """For the next epoch; the initial loss stays that of the run."""
        return _Steps(self.initial)

    def add(self, losses: tuple[float, ...]) -> None:
        self._losses += losses
        for loss in losses:
            self._sum = _SMOOTHING * self._sum + (1 - _SMOOTHING) * loss
            self._weight = _SMOOTHING * self._weight + (1 - _SMOOTHING)

    @property
    def count(self) -> int:
        return len(self._losses)

    @property
    def initial(self) -> float:
        """The loss of the run's first step: at a rate that is far too high, that of the second is larger."""
        return next(iter(self._losses), 0.0) if self._initial is None else self._initial

    @property
    def current(self) -> float:
        """The running mean."""
        return self._sum / self._weight if self._weight else 0.0

    @property
    def highest(self) -> float:
        return max(self._losses, default=0.0)

    @property
    def is_flat(self) -> bool:
        """Whether the last quarter equals the first, up to the random variation between batches."""
        quarter = len(self._losses) // 4
        early, late = mean(self._losses[:quarter]), mean(self._losses[-quarter:])
        # Twice the standard error of the difference of two means.
        variation = 2 * stdev(self._losses) * math.sqrt(2 / quarter)
        return abs(late - early) <= _FLAT * early + variation
