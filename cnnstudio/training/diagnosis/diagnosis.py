"""What goes wrong in a training, recognized from its events, and what to try.

Each kind is said once in a run, and taken back where its reason has gone. The rules look for the usual
mistakes and keep silent where they cannot tell: a wrong warning costs more trust than a missing one. Chance
is what a network knows that has learned nothing: a loss of ln(classes), and one right answer in as many as
there are classes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from statistics import mean, stdev
from types import MappingProxyType

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.formatting import percent
from cnnstudio.core.parameters import parameters
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.training.diagnosis.remedies import advice
from cnnstudio.training.events import (
    Adjusted,
    Diagnosed,
    EpochEnded,
    Event,
    Finished,
    Kind,
    Progress,
    Recovered,
    Started,
    UnitsChecked,
)
from cnnstudio.training.recipe.recipe import Recipe

_SMOOTHING = 0.95
_FIRST = 5
"""Steps whose mean loss is that of the beginning."""

_ENOUGH_STEPS = 30
"""Before so many, a loss says little."""

_ABOVE_CHANCE = 1.5
"""A mean loss that is so many times chance comes from steps that go too far."""

_SPIKE = 2.0
"""A step's loss that is so many times chance does, too, where nothing is learned."""

_NOTHING_LEARNED = 0.97
"""Of the loss of chance, that an epoch's mean is above where nothing is learned."""

_COME_UP = 0.9
"""Share of the recipe's rate, its schedule's highest, from which on it can be judged."""

_STILL = 0.03
"""Share of the loss by which it changes over an epoch at most where the rate is too low."""

_USUAL_RATES: Mapping[str, float] = MappingProxyType(
    {"sgd": 0.05, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "muon": 0.02}
)
"""Above what the optimizer is usually given, a loss that stands still has another reason than a low rate."""

_RISING_EPOCHS = 2
"""So long ago is the lowest validation loss where a network overfits."""
_RISEN = 1.05
_FALLEN = 0.95
_GAP = 0.03
"""By so much the accuracy on the training images is then higher, at the least."""

_PLATEAU_EPOCHS = 4
_BETTER = 0.99
"""Losses that fall by less than a hundredth in so many epochs stand still."""
_KNOWS_ALL = 0.99
_HIGH_RATE = 0.3
"""Of the recipe's rate: below it a schedule ends by itself, and so does the progress."""

_FEW_UNITS = 4
_MOST_DEAD = 0.5
_MOST_DEAD_VALUES = 0.95
"""Of a flat layer's units. A feature map has thousands of places in the example images to show itself, a
single value one in each: where all goes well, half of a Dense layer's units know none of so few images."""


class Diagnosis:
    """Follows the events of one run."""

    def __init__(self, recipe: Recipe, network: Network) -> None:
        self._recipe = recipe
        self._network = network
        self._said: set[Kind] = set()
        self._open: dict[Kind, float] = {}
        """What was said and not taken back, and after how many epochs it was said."""
        self._epochs: list[EpochEnded] = []
        self._classes = 0
        self._place = 0.0
        self._steps = _Steps()
        self._waits: EpochEnded | None = None
        reports = [report for report in analyze(network).reports if report.output is not None]
        self._flat = {report.node.id for report in reports if report.output and report.output.is_flat}

    def feed(self, event: Event) -> Iterator[Diagnosed | Recovered]:
        """What is recognized with this event, or has passed. That of a Finished belongs before it."""
        # The layers' units are counted after the epoch; a dead layer explains what else is seen.
        if isinstance(event, UnitsChecked):
            yield from self._look_at_units(event)
        if self._waits is not None and isinstance(event, UnitsChecked | Progress | Finished):
            ended, self._waits = self._waits, None
            yield from self._look_at_epoch(ended)
        match event:
            case Started():
                self._classes = len(event.classes)
            case Progress():
                self._place = event.epoch
                self._steps.add(event.losses)
                yield from self._look_at_steps()
            case EpochEnded():
                self._place = float(event.epoch)
                self._epochs.append(event)
                self._waits = event
            case Adjusted():
                self._start_afresh(event)
            case Finished():
                yield from self._look_at_end(event)

    def _say(self, kind: Kind, message: str) -> Iterator[Diagnosed]:
        if kind not in self._said:
            self._said.add(kind)
            self._open[kind] = self._place
            yield Diagnosed(kind, self._place, message, advice(kind, self._recipe))

    def followed(self, event: Event) -> list[Event]:
        """The event with what is recognized: behind it, but before a Finished, which is the last."""
        found = list(self.feed(event))
        return [*found, event] if isinstance(event, Finished) else [event, *found]

    def _start_afresh(self, event: Adjusted) -> None:
        """After a change by the user's hand, what was before it says nothing about what comes."""
        self._recipe = _with(self._recipe, event)
        if event.name != "epochs":
            self._said.clear()
            self._open.clear()
            self._epochs.clear()
            self._steps = _Steps()
            self._waits = None

    # What each event may show

    def _look_at_end(self, event: Finished) -> Iterator[Diagnosed]:
        if event.cause == "not_finite":
            yield from self._say("diverged", "The training diverged: the loss grew beyond all numbers.")
        elif event.cause == "memory":
            yield from self._say("memory", "The memory is too small for a batch at a time.")

    def _look_at_steps(self) -> Iterator[Diagnosed]:
        steps, chance = self._steps, self._chance
        if not chance or steps.count < _ENOUGH_STEPS:
            return
        if steps.now > _ABOVE_CHANCE * max(chance, steps.first):
            yield from self._too_high(
                f"The loss rises from {steps.first:.2f} to {steps.now:.2f} instead of falling"
            )

    def _look_at_epoch(self, ended: EpochEnded) -> Iterator[Diagnosed | Recovered]:
        yield from self._look_for_recovery(ended)
        steps, self._steps = self._steps, self._steps.next()
        rules: list[Callable[[], Iterator[Diagnosed]]] = [
            lambda: self._look_for_nothing_learned(ended, steps),
            self._look_for_overfitting,
            self._look_for_plateau,
        ]
        if not self._open.keys() & {"rate_too_high", "rate_too_low", "dead_units"}:
            for rule in rules:
                yield from rule()

    def _look_for_recovery(self, ended: EpochEnded) -> Iterator[Recovered]:
        """Takes back what a whole epoch since then speaks against."""
        before = self._epochs[:-1]
        learns = ended.train.loss < _NOTHING_LEARNED * self._chance
        gone: dict[Kind, bool] = {
            "rate_too_low": learns,
            "rate_too_high": learns,
            "overfitting": all(ended.validation.loss < epoch.validation.loss for epoch in before),
            "plateau": all(ended.train.loss < _BETTER * epoch.train.loss for epoch in before)
            or all(ended.validation.loss < _BETTER * epoch.validation.loss for epoch in before),
        }
        for kind, is_gone in gone.items():
            if is_gone and self._open.get(kind, ended.epoch) <= ended.epoch - 1:
                del self._open[kind]
                yield Recovered(kind, self._place)

    @property
    def _chance(self) -> float:
        return math.log(self._classes) if self._classes > 1 else 0.0

    def _too_high(self, seen: str) -> Iterator[Diagnosed]:
        yield from self._say("rate_too_high", f"{seen}: the learning rate looks too high.")

    def _look_for_nothing_learned(self, ended: EpochEnded, steps: _Steps) -> Iterator[Diagnosed]:
        if not self._chance or steps.count < _ENOUGH_STEPS:
            return
        if ended.train.loss < _NOTHING_LEARNED * self._chance:
            return
        seen = f"Nothing is learned (a loss of {ended.train.loss:.2f} is no better than guessing)"
        if steps.highest > _SPIKE * max(self._chance, steps.first):
            yield from self._too_high(f"{seen} since single steps went up to {steps.highest:.1f}")
        elif steps.stand_still and self._rate_may_be_too_low():
            words = f"{seen} and the loss hardly moves: the learning rate looks too low."
            yield from self._say("rate_too_low", words)

    def _rate_may_be_too_low(self) -> bool:
        """Not while it still rises: before an epoch has ended near the recipe's rate."""
        rate = self._recipe.learning_rate
        has_come_up = max(ended.learning_rate for ended in self._epochs) >= _COME_UP * rate
        return has_come_up and rate <= _USUAL_RATES[self._recipe.optimizer]

    def _look_for_overfitting(self) -> Iterator[Diagnosed]:
        best = min(self._epochs, key=lambda epoch: epoch.validation.loss)
        last = self._epochs[-1]
        if (
            last.epoch - best.epoch >= _RISING_EPOCHS
            and last.validation.loss >= _RISEN * best.validation.loss
            and last.train.loss <= _FALLEN * best.train.loss
            and last.train.accuracy - last.validation.accuracy >= _GAP
        ):
            yield from self._say(
                "overfitting",
                f"Overfitting: since epoch {best.epoch} the validation loss has risen from "
                f"{best.validation.loss:.2f} to {last.validation.loss:.2f}, while the training loss fell "
                f"from {best.train.loss:.2f} to {last.train.loss:.2f}.",
            )

    def _look_for_plateau(self) -> Iterator[Diagnosed]:
        before, since = self._epochs[:-_PLATEAU_EPOCHS], self._epochs[-_PLATEAU_EPOCHS:]
        last = self._epochs[-1]
        if (
            not before
            or "overfitting" in self._said
            or last.epoch >= self._recipe.epochs
            or last.train.accuracy >= _KNOWS_ALL
            or last.learning_rate < _HIGH_RATE * self._recipe.learning_rate
        ):
            return

        def stands(loss: Callable[[EpochEnded], float]) -> bool:
            return min(map(loss, since)) > _BETTER * min(map(loss, before))

        if stands(lambda epoch: epoch.validation.loss) and stands(lambda epoch: epoch.train.loss):
            yield from self._say(
                "plateau",
                f"A plateau: for {_PLATEAU_EPOCHS} epochs neither the training loss nor the validation loss "
                "has fallen by more than 1%.",
            )

    def _look_at_units(self, event: UnitsChecked) -> Iterator[Diagnosed | Recovered]:
        """The first layer that is mostly dead: those behind it get nothing from it."""
        if event.epoch < 1:
            return
        self._place = float(event.epoch)
        for node_id, dead, total in zip(event.layers, event.dead, event.total, strict=True):
            most = _MOST_DEAD_VALUES if node_id in self._flat else _MOST_DEAD
            if total >= _FEW_UNITS and dead > most * total:
                share = "All" if dead == total else percent(dead / total)
                words = (
                    f"{share} of the {total} units of {self._title(node_id)} are dead: they give 0 for every"
                )
                yield from self._say("dead_units", f"{words} image, and learn no more.")
                return
        if self._open.pop("dead_units", None) is not None:
            yield Recovered("dead_units", self._place)

    def _title(self, node_id: str) -> str:
        try:
            return self._network.node(node_id).title
        except KeyError:
            return node_id


def _with(recipe: Recipe, event: Adjusted) -> Recipe:
    """The recipe after the change, where the words of the event can be read back."""
    parameter = next((each for each in parameters(recipe) if each.name == event.name), None)
    for read in (int, float, str):
        if parameter is not None:
            with contextlib.suppress(ValueError, ParameterError):
                return recipe.replace(**{event.name: parameter.check(read(event.after))})
    return recipe


class _Steps:
    """The losses of the steps of an epoch."""

    def __init__(self, first: float | None = None) -> None:
        self._losses: list[float] = []
        self._first = first
        self._sum = self._weight = 0.0

    def next(self) -> _Steps:
        """For the epoch that follows: what the run began with stays."""
        return _Steps(self.first)

    def add(self, losses: tuple[float, ...]) -> None:
        self._losses += losses
        for loss in losses:
            self._sum = _SMOOTHING * self._sum + (1 - _SMOOTHING) * loss
            self._weight = _SMOOTHING * self._weight + (1 - _SMOOTHING)

    @property
    def count(self) -> int:
        return len(self._losses)

    @property
    def first(self) -> float:
        """The mean loss of the run's first steps."""
        return mean(self._losses[:_FIRST] or [0.0]) if self._first is None else self._first

    @property
    def now(self) -> float:
        """The running mean."""
        return self._sum / self._weight if self._weight else 0.0

    @property
    def highest(self) -> float:
        return max(self._losses, default=0.0)

    @property
    def stand_still(self) -> bool:
        """Whether the last quarter is as the first, give or take what small batches differ by chance."""
        quarter = len(self._losses) // 4
        early, late = mean(self._losses[:quarter]), mean(self._losses[-quarter:])
        chance = 2 * stdev(self._losses) * math.sqrt(2 / quarter)
        return abs(late - early) <= _STILL * early + chance
