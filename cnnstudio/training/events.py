"""Everything that the trainer says, as frozen values.

The command line prints them, a run stores them, the window draws them. First of all comes Started, at most
once; at the end comes Finished, exactly once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from cnnstudio.core.errors import UserError

Outcome = Literal["completed", "stopped", "failed"]
Cause = Literal["memory", "not_finite"]
"""Why a run failed, where the program knows what helps."""

Kind = Literal["diverged", "memory", "rate_too_high", "rate_too_low", "dead_units", "overfitting", "plateau"]
"""What `diagnosis` can recognize."""


class EventError(UserError):
    """JSON that is no event."""


@dataclass(frozen=True)
class Scores:
    """Mean loss and share of right answers over a set of images."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Event:
    """What all events have: a form as JSON."""

    unwritten: ClassVar[frozenset[str]] = frozenset()
    """Fields that JSON leaves out."""

    def to_json(self) -> dict[str, Any]:
        """`{"event": "EpochEnded", …}`; tuples become lists."""
        content: dict[str, Any] = {"event": type(self).__name__}
        for item in dataclasses.fields(self):
            if item.name not in self.unwritten:
                content[item.name] = _to_json(getattr(self, item.name))
        return content


@dataclass(frozen=True)
class Started(Event):
    """The first batch is about to be cut. `validation` says where those images come from."""

    run: str | None
    network_name: str
    parameters: int
    device: str
    threads: int
    epochs: int
    steps_per_epoch: int
    batch_size: int
    train_images: int
    validation_images: int
    classes: tuple[str, ...]
    validation: Literal["share", "test"]
    first_epoch: int = 1
    """The epoch that comes next; more than 1 where the run goes on after an interruption."""
    steps_done: int = 0
    """Steps before this start; more than those of whole epochs where it goes on within an epoch."""
    ranks: int = 1
    """Processes that train together; each has `threads`, and its share of each batch."""


@dataclass(frozen=True)
class Progress(Event):
    """Where the run is, and what every step since the last Progress gave. At most about 20 a second."""

    step: int
    """Steps done."""
    steps: int
    """Steps of the whole run."""
    epoch: float
    """Epochs done, with fraction."""
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    first_step: int
    """The number, counted from 1, of the step that `losses[0]` belongs to."""
    images_per_second: float
    learning_rate: float
    seconds: float
    """Since the run started, pauses left out."""
    seconds_left: float | None
    """None until there is something to judge by."""


@dataclass(frozen=True)
class EpochEnded(Event):
    """All training images were seen once more. `train` is the mean over the epoch's own steps."""

    epoch: int
    """Counted from 1."""
    train: Scores
    validation: Scores
    images_per_second: float
    learning_rate: float
    seconds: float
    best: bool
    """No epoch before was as good on the validation images."""


@dataclass(frozen=True)
class SnapshotTaken(Event):
    """What a probe saw. `payload` holds numpy arrays, read-only; JSON leaves it out."""

    unwritten: ClassVar[frozenset[str]] = frozenset({"payload"})

    step: int
    epoch: float
    kind: str
    payload: object = field(default=None, compare=False)


@dataclass(frozen=True)
class Warned(Event):
    """Something that the user should know, although the run goes on."""

    message: str


@dataclass(frozen=True)
class Paused(Event):
    """The run waits after this step."""

    step: int


@dataclass(frozen=True)
class Resumed(Event):
    """The run goes on after this step."""

    step: int


@dataclass(frozen=True)
class Adjusted(Event):
    """A field of the recipe was changed; in force from the step after this one."""

    step: int
    epoch: float
    """Epochs done, with fraction."""
    name: str
    """The field, such as `learning_rate`."""
    before: str
    after: str


@dataclass(frozen=True)
class CarriedOver(Event):
    """The run goes on with the weights of another one, in a changed design. Comes after Started."""

    step: int
    run: str
    """The other run's folder."""
    kept: tuple[str, ...]
    """Layers that keep their weights and what the optimizer knows of them, by their ids."""
    fresh: tuple[str, ...]
    """Layers that start afresh, by their ids."""
    lines: tuple[str, ...]
    """The same in words."""


@dataclass(frozen=True)
class UnitsChecked(Event):
    """How many units of each layer are dead: they give 0 for every example image."""

    epoch: int
    """Counted from 1; 0 is before the training."""
    layers: tuple[str, ...]
    """Their ids, from top to bottom; the other two go along with them."""
    dead: tuple[int, ...]
    total: tuple[int, ...]
    """Units that were looked at: feature maps, or the values of a flat layer."""


@dataclass(frozen=True)
class Diagnosed(Event):
    """Something goes wrong in the way that is known, and there is something to try."""

    kind: Kind
    epoch: float
    """Epochs done, with fraction."""
    message: str
    """What is to be seen, in one sentence."""
    advice: str
    """What to try, in one sentence."""


@dataclass(frozen=True)
class Recovered(Event):
    """What was said of this kind by a Diagnosed is no longer to be seen."""

    kind: Kind
    epoch: float
    """Epochs done, with fraction."""


@dataclass(frozen=True)
class Finished(Event):
    """The end, however it came. `test` are the best weights' scores, where there was time for them."""

    outcome: Outcome
    reason: str
    """One sentence; what went wrong, where it failed."""
    test: Scores | None
    seconds: float
    run: str | None
    best_epoch: int | None
    """Counted from 1; None where no epoch ended."""
    cause: Cause | None = None


_KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        *(Started, CarriedOver, Progress, EpochEnded, SnapshotTaken, Warned),
        *(Paused, Resumed, Adjusted, UnitsChecked, Diagnosed, Recovered, Finished),
    )
}

_FIELDS = {name: get_type_hints(kind) for name, kind in _KINDS.items()}
"""For each kind the kinds of its fields."""


def event_from_json(content: Any) -> Event:
    """The event that `to_json` wrote; entries that are not known are passed over. Raises EventError."""
    kind = _KINDS.get(str(content.get("event"))) if isinstance(content, Mapping) else None
    if kind is None:
        raise EventError("this is no event: an event is a JSON object with the name of its kind as “event”")
    values = {}
    for item in dataclasses.fields(kind):
        if item.name not in kind.unwritten and (item.name in content or _is_needed(item)):
            try:
                values[item.name] = _from_json(content.get(item.name), _FIELDS[kind.__name__][item.name])
            except (KeyError, TypeError, OverflowError):
                message = f"a {kind.__name__} event does not say “{item.name}” as it should"
                raise EventError(message) from None
    return kind(**values)


def _is_needed(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING


def _to_json(value: Any) -> Any:
    if isinstance(value, Scores):
        return {"loss": value.loss, "accuracy": value.accuracy}
    return list(value) if isinstance(value, tuple) else value


def _from_json(value: Any, kind: Any) -> Any:
    """The value as the field's kind. Raises TypeError, KeyError or OverflowError."""
    if get_origin(kind) in (UnionType, Union):
        if value is None:
            return None
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if kind is Scores and isinstance(value, Mapping):
        return Scores(_from_json(value["loss"], float), _from_json(value["accuracy"], float))
    if get_origin(kind) is tuple and isinstance(value, list):
        item = get_args(kind)[0]
        # Of the many losses of a run nearly all are of the kind already.
        return tuple(value if set(map(type, value)) <= {item} else (_from_json(each, item) for each in value))
    if kind is float and type(value) in (int, float):
        return float(value)
    if type(value) is kind or (get_origin(kind) is Literal and value in get_args(kind)):
        return value
    raise TypeError
