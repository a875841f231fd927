"""Everything that the trainer reports, as frozen values.

The command line prints them, a run folder stores them, the window draws them. `Started` comes first and at
most once; `Finished` comes last and exactly once.

The names in JSON are a contract with run folders and other programs. Each class states its own as
`event_name`, so that renaming a class changes no file. The keys are the names of the fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import list_names, pluralize
from cnnstudio.data.dataset import ResizeMode

Outcome = Literal["completed", "stopped", "failed"]
ValidationSource = Literal["share", "test", "own"]
"""Where the validation images come from: a share of the training images, the test set, or their own split."""
FailureCause = Literal["memory", "not_finite"]
"""Causes of failure for which a remedy is known."""

DiagnosisKind = Literal[
    "diverged",
    "memory",
    "rate_too_high",
    "rate_too_low",
    "dead_units",
    "overfitting",
    "plateau",
    "class_sizes",
    "validation_better",
]
"""What is recognized: problems, and what needs an explanation."""


class EventError(UserError):
    """JSON that is not an event."""


@dataclass(frozen=True)
class Scores:
    """Mean loss and accuracy, from 0 to 1, over a set of images."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Event:
    """The base of all events: conversion to JSON."""

    event_name: ClassVar[str]
    """Identifies the class in JSON. Never change it: run folders contain it."""
    not_serialized: ClassVar[frozenset[str]] = frozenset()
    """Fields that JSON leaves out."""
    serialized_if_known: ClassVar[frozenset[str]] = frozenset()
    """Fields that JSON leaves out if they are None, as in files of versions without them."""

    def to_json(self) -> dict[str, Any]:
        """`{"event": "EpochEnded", …}`; tuples become lists."""
        content: dict[str, Any] = {"event": self.event_name}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            is_unknown = value is None and item.name in self.serialized_if_known
            if item.name not in self.not_serialized and not is_unknown:
                content[item.name] = _to_json(value)
        return content


@dataclass(frozen=True)
class Started(Event):
    """The first step is about to begin. `validation` says where the validation images come from."""

    event_name = "Started"
    serialized_if_known = frozenset({"resize"})

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
    validation: ValidationSource
    first_epoch: int = 1
    """The next epoch, counted from 1; more than 1 in a resumed run."""
    steps_done: int = 0
    """Steps done before this start, including those of an unfinished epoch."""
    ranks: int = 1
    """Processes that train together; each has `threads` threads and a share of every batch."""
    resize: ResizeMode | None = None
    """How images of another shape have to be resized; None for the usual way, "fill"."""


@dataclass(frozen=True)
class Progress(Event):
    """Where the run is, with the metrics of every step since the last Progress. At most about 20 a second."""

    event_name = "Progress"
    serialized_if_known = frozenset({"gradient_norm"})

    step: int
    """Steps done."""
    steps: int
    """Steps of the whole run."""
    epoch: float
    """Epochs done; fractional within an epoch."""
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    first_step: int
    """The number, counted from 1, of the step that `losses[0]` belongs to."""
    images_per_second: float
    learning_rate: float
    seconds: float
    """Since the run started, without pauses."""
    seconds_left: float | None
    """None until the run has been measured long enough for an estimate."""
    gradient_norm: float | None = None
    """The L2 norm of all gradients in the last step, before clipping; None if it was not measured."""


@dataclass(frozen=True)
class EpochEnded(Event):
    """An epoch is complete. `train` is the mean over the epoch's own steps."""

    event_name = "EpochEnded"
    serialized_if_known = frozenset({"weight_change"})

    epoch: int
    """Counted from 1."""
    train: Scores
    validation: Scores
    images_per_second: float
    learning_rate: float
    seconds: float
    best: bool
    """Whether this epoch has the best validation scores so far."""
    weight_change: float | None = None
    """The largest change of a layer's weights in this epoch, as a fraction of their norm.

    None if the run was resumed within the epoch.
    """


@dataclass(frozen=True)
class SnapshotTaken(Event):
    """What a probe captured. `payload` holds read-only numpy arrays; JSON leaves it out."""

    event_name = "SnapshotTaken"
    not_serialized = frozenset({"payload"})

    step: int
    epoch: float
    kind: str
    payload: object = field(default=None, compare=False)


FULL_DISK = "full disk"


class WarnFunction(Protocol):
    """Reports a warning, with the fields of Warned."""

    def __call__(self, message: str, about: str | None = None) -> None: ...


@dataclass(frozen=True)
class Warned(Event):
    """Something that the user should know; the run continues."""

    event_name = "Warned"
    serialized_if_known = frozenset({"about"})

    message: str
    about: str | None = None
    """FULL_DISK, for what the next such warning replaces, and what is over when the run resumes."""


@dataclass(frozen=True)
class Paused(Event):
    """The run is paused after this step."""

    event_name = "Paused"

    step: int


@dataclass(frozen=True)
class Resumed(Event):
    """The run continues after this step."""

    event_name = "Resumed"
    serialized_if_known = frozenset({"seconds"})

    step: int
    seconds: float | None = None
    """How long the pause was."""


@dataclass(frozen=True)
class RecipeChanged(Event):
    """A field of the recipe was changed; the new value applies from the next step on."""

    event_name = "Adjusted"

    step: int
    epoch: float
    """Epochs done; fractional within an epoch."""
    name: str
    """The field, such as `learning_rate`."""
    before: str
    after: str


@dataclass(frozen=True)
class LayersUnlocked(Event):
    """The second stage begins: layers that were locked train from the next step on."""

    event_name = "LayersUnlocked"

    step: int
    epoch: float
    """Epochs done."""
    layers: tuple[str, ...]
    """Ids of the layers and groups, from top to bottom."""
    titles: tuple[str, ...]
    """What they are called."""
    parameters: int
    """The weights that train from now on."""

    @property
    def text(self) -> str:
        """`Stage 7, Features unlocked: 1,129,290 parameters train now`."""
        count = pluralize(self.parameters, "parameter")
        return f"{list_names(self.titles)} unlocked: {count} train now"


@dataclass(frozen=True)
class ThreadsChanged(Event):
    """The CPU computes with another number of threads from the next step on, because of other programs."""

    event_name = "ThreadsChanged"

    step: int
    epoch: float
    """Epochs done; fractional within an epoch."""
    threads: int
    usual_threads: int
    """What the run uses if no other program is busy."""
    trial: bool = False
    """Whether the number is only tried, for a few steps. What is kept is reported by another event."""

    @property
    def text(self) -> str:
        """`another program is busy: training with 1 thread` or `training with 2 threads again`."""
        training = f"training with {pluralize(self.threads, 'thread')}"
        if self.threads < self.usual_threads:
            return f"another program is busy: {training}"
        return f"{training} again"


@dataclass(frozen=True)
class WeightsTransferred(Event):
    """The run started from another run's weights, in a changed design. Comes after Started."""

    event_name = "CarriedOver"

    step: int
    run: str
    """The other run's folder."""
    kept: tuple[str, ...]
    """Ids of the layers that keep their weights and optimizer state."""
    fresh: tuple[str, ...]
    """Ids of the layers with new initial weights."""
    lines: tuple[str, ...]
    """The same as readable text."""


@dataclass(frozen=True)
class WeightsLoaded(Event):
    """The run starts from pretrained weights, a file's or another run's. Comes after Started."""

    event_name = "WeightsLoaded"

    source: str
    """The name of pretrained weights, or a path."""
    kept: tuple[str, ...]
    """Ids of the layers that start from them."""
    fresh: tuple[str, ...]
    """Ids of the layers with random initial weights."""
    lines: tuple[str, ...]
    """The same as readable text."""
    notice: str = ""
    """Under which terms the weights are."""


@dataclass(frozen=True)
class UnitsChecked(Event):
    """How many units of each layer are dead, that is, output 0 for every sample image."""

    event_name = "UnitsChecked"

    epoch: int
    """Counted from 1; 0 means before training."""
    layers: tuple[str, ...]
    """Layer ids, from top to bottom; `dead` and `total` have one entry for each."""
    dead: tuple[int, ...]
    total: tuple[int, ...]
    """Units examined: feature maps, or the values of a flat layer."""


@dataclass(frozen=True)
class Diagnosed(Event):
    """The training shows a known problem, for which there is something to try."""

    event_name = "Diagnosed"

    kind: DiagnosisKind
    epoch: float
    """Epochs done; fractional within an epoch."""
    message: str
    """What was observed, in one sentence."""
    advice: str
    """What to try, in one sentence."""


@dataclass(frozen=True)
class Recovered(Event):
    """The problem of this kind that a Diagnosed reported is gone."""

    event_name = "Recovered"

    kind: DiagnosisKind
    epoch: float
    """Epochs done; fractional within an epoch."""


@dataclass(frozen=True)
class Finished(Event):
    """The end of the run, whatever the reason. `test` has the best weights' scores, if computed."""

    event_name = "Finished"

    outcome: Outcome
    reason: str
    """How the run ended and, after a failure, what went wrong; one sentence."""
    test: Scores | None
    seconds: float
    run: str | None
    best_epoch: int | None
    """Counted from 1; None if no epoch was completed."""
    cause: FailureCause | None = None


_EVENT_TYPES: Mapping[str, type[Event]] = {
    event_type.event_name: event_type
    for event_type in (
        *(Started, WeightsTransferred, WeightsLoaded, Progress, EpochEnded, SnapshotTaken, Warned),
        *(
            Paused,
            Resumed,
            RecipeChanged,
            LayersUnlocked,
            ThreadsChanged,
            UnitsChecked,
            Diagnosed,
            Recovered,
            Finished,
        ),
    )
}

_FIELD_TYPES = {name: get_type_hints(event_type) for name, event_type in _EVENT_TYPES.items()}
"""Event name -> field name -> the field's type. Resolved once, because event logs can be long."""


def event_from_json(content: Any) -> Event:
    """The event that `to_json` wrote; unknown keys, as of a later version, are ignored. Raises EventError."""
    event_type = _EVENT_TYPES.get(str(content.get("event"))) if isinstance(content, Mapping) else None
    if event_type is None:
        raise EventError("not an event: expected a JSON object whose “event” key names an event type")
    name, values = event_type.event_name, {}
    for item in dataclasses.fields(event_type):
        if item.name not in event_type.not_serialized and (item.name in content or _is_required(item)):
            try:
                values[item.name] = _from_json(content.get(item.name), _FIELD_TYPES[name][item.name])
            except (KeyError, TypeError, OverflowError):
                raise EventError(f"the {name} event has a missing or invalid “{item.name}”") from None
    return event_type(**values)


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING


def _to_json(value: Any) -> Any:
    if isinstance(value, Scores):
        return {"loss": value.loss, "accuracy": value.accuracy}
    return list(value) if isinstance(value, tuple) else value


def _from_json(value: Any, expected: Any) -> Any:
    """The value as the field's type `expected`. Raises TypeError, KeyError or OverflowError."""
    if get_origin(expected) in (UnionType, Union):
        if value is None:
            return None
        (expected,) = (each for each in get_args(expected) if each is not NoneType)
    if expected is Scores and isinstance(value, Mapping):
        return Scores(_from_json(value["loss"], float), _from_json(value["accuracy"], float))
    if get_origin(expected) is tuple and isinstance(value, list):
        item = get_args(expected)[0]
        # The many losses of a Progress are nearly always floats already, so they are checked all at once.
        return tuple(value if set(map(type, value)) <= {item} else (_from_json(each, item) for each in value))
    if expected is float and type(value) in (int, float):
        return float(value)
    if type(value) is expected or (get_origin(expected) is Literal and value in get_args(expected)):
        return value
    raise TypeError
