"""How a network is trained, as a frozen value. Device and threads belong to the run, not to the recipe.

The help strings appear in the window's form and in `cnnstudio train --help`. The field names are part of the
recipe file's format.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.parameters import (
    Choice,
    choice,
    describe_value,
    flag,
    integer,
    number,
    shorten,
    validate_parameters,
    values_from_json,
    values_to_json,
)
from cnnstudio.data.augmentation.augmentation import BORDERS, FLIPS, Augmentation

FORMAT = "cnnstudio.recipe"
VERSION = 1
UNNAMED = "custom"
"""The name of a recipe that was changed and not saved."""

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "muon")
PRECISIONS = ("float32", "bfloat16", "auto")
CLASS_WEIGHTS = ("none", "balanced")
BATCH_NORM_STATISTICS = ("batch", "kept")
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "linear")
_SLOTS: Mapping[str, int] = MappingProxyType({"adam": 2, "adamw": 2, "rmsprop": 2, "muon": 1})
"""State tensors of the optimizer for each weight; sgd's depend on the momentum."""
_WITH_MOMENTUM = ("sgd", "rmsprop", "muon")


FIELD_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Basics": (
            *("epochs", "batch_size", "optimizer", "learning_rate"),
            *("validation_share", "patience", "seed"),
        ),
        "Schedule": ("schedule", "warm_up", "warm_up_start", "final_rate", "step_epochs", "step_factor"),
        "Optimization": (
            *("momentum", "weight_decay", "clip_norm", "label_smoothing", "class_weights"),
            *("norm_bias_rate", "average_decay", "lookahead", "accumulate", "precision"),
        ),
        "Images": (
            *("flip", "shift", "shift_border", "crop", "cutout"),
            *("brightness", "contrast", "saturation", "mixup", "cutmix", "test_time_flip"),
            "feature_copies",
        ),
        "Fine-tuning": ("unlock_after", "unlock_groups", "unlock_rate", "batch_norm_statistics"),
    }
)
"""The fields as forms and help arrange them."""

MAX_EPOCHS = 10_000
MAX_ACCUMULATE = 1024


class RecipeError(UserError):
    """An invalid recipe; the message names the field."""


@dataclass(frozen=True)
class _Flip(Choice):
    """Recipes of version 0.1 have true or false."""

    def validate(self, value: Any) -> str:
        return super().validate(("off", "random")[value] if isinstance(value, bool) else value)


@dataclass(frozen=True)
class Recipe:
    """Optimizer, learning rate, batches and augmentation. Raises RecipeError for a value out of range."""

    name: str = UNNAMED

    epochs: int = integer(10, maximum=MAX_EPOCHS, help="passes over the training set")
    patience: int = integer(
        0,
        minimum=0,
        maximum=10_000,
        help="early stopping: epochs without improvement (0 = off)",
        unit="epochs",
    )
    batch_size: int = integer(32, maximum=65_536, help="images per step", unit="images")
    accumulate: int = integer(
        1,
        maximum=MAX_ACCUMULATE,
        label="Gradient accumulation",
        help="gradient accumulation: parts that each batch is split into, for the same step in less memory",
    )
    precision: str = choice(
        "float32",
        PRECISIONS,
        help="bfloat16: mixed precision with float32 weights, faster on recent GPUs and CPUs with AMX; auto: "
        "bfloat16 on these",
    )
    validation_share: float = number(
        0.0,
        minimum=0.0,
        maximum=0.5,
        help="fraction of the training images held out (0 = validate on the test set)",
    )
    seed: int = integer(
        0, minimum=0, maximum=2**31 - 1, help="random seed; the same seed repeats the same run"
    )

    optimizer: str = choice(
        "adam",
        OPTIMIZERS,
        help="sgd has Nesterov momentum; muon for weight matrices, adamw for the rest",
    )
    learning_rate: float = number(
        0.001, minimum=1e-8, maximum=100.0, help="peak learning rate of the schedule"
    )
    momentum: float = number(
        0.9, minimum=0.0, maximum=0.999, help="for sgd, rmsprop and muon; adam and adamw use their defaults"
    )
    weight_decay: float = number(
        0.0, minimum=0.0, maximum=1.0, help="shrinks weights; not applied to biases or normalization"
    )
    clip_norm: float = number(0.0, minimum=0.0, maximum=1e6, help="maximum gradient norm (0 = no clipping)")
    norm_bias_rate: float = number(
        1.0,
        minimum=0.01,
        maximum=1000.0,
        label="Norm-bias LR factor",
        help="learning-rate multiplier for normalization biases",
    )

    schedule: str = choice("constant", SCHEDULES, help="how the learning rate changes during the run")
    warm_up: float = number(
        0.0,
        minimum=0.0,
        maximum=0.9,
        help="fraction of the run spent warming up (one_cycle: 0 means 0.3)",
    )
    warm_up_start: float = number(
        0.04,
        minimum=0.0,
        maximum=1.0,
        label="Starts at",
        help="initial learning rate as a fraction of the peak",
    )
    final_rate: float = number(
        0.0, minimum=0.0, maximum=1.0, label="Ends at", help="final learning rate as a fraction of the peak"
    )
    step_epochs: int = integer(
        10,
        maximum=10_000,
        label="Step every",
        help="epochs between two reductions of the learning rate",
        unit="epochs",
    )
    step_factor: float = number(
        0.1, minimum=1e-6, maximum=1.0, help="factor of each reduction of the learning rate"
    )

    unlock_after: int = integer(
        0,
        minimum=0,
        maximum=MAX_EPOCHS,
        help="epochs after which the last locked groups train as well, with the schedule anew (0 = never)",
        unit="epochs",
    )
    unlock_groups: int = integer(
        1,
        minimum=0,
        maximum=1_000,
        label="Unlocks",
        help="how many locked groups or layers are unlocked then, from the end of the network (0 = all)",
        unit="groups",
    )
    unlock_rate: float = number(
        0.1,
        minimum=1e-6,
        maximum=10.0,
        label="Rate after it",
        help="learning rate from then on, as a fraction of the peak",
    )
    batch_norm_statistics: str = choice(
        "batch",
        BATCH_NORM_STATISTICS,
        label="Batch norm uses",
        help="batch: mean and variance of each batch; kept: those of the start weights, as Keras's "
        "training=False (better with few images)",
    )

    flip: str = choice(
        "off",
        FLIPS,
        help="mirrors images left to right: at random, or in every other epoch",
        kind=_Flip,
    )
    shift: int = integer(0, minimum=0, maximum=16, help="maximum random shift in pixels", unit="pixels")
    shift_border: str = choice(
        "reflect", BORDERS, help="fills the border after a shift: reflected image or black"
    )
    crop: float = number(
        0.0,
        minimum=0.0,
        maximum=0.9,
        help="maximum fraction of width and height cropped away; the rest is resized",
    )
    cutout: int = integer(
        0,
        minimum=0,
        maximum=1024,
        help="side in pixels of a square that is masked at a random position",
        unit="pixels",
    )
    brightness: float = number(0.0, minimum=0.0, maximum=1.0, help="maximum random change, as a fraction")
    contrast: float = number(0.0, minimum=0.0, maximum=1.0, help="maximum random change, as a fraction")
    saturation: float = number(
        0.0, minimum=0.0, maximum=1.0, help="maximum random change, as a fraction; no effect on gray images"
    )
    mixup: float = number(
        0.0, minimum=0.0, maximum=10.0, help="blends two images and their labels (0.2 typical, 0 = off)"
    )
    cutmix: float = number(
        0.0, minimum=0.0, maximum=10.0, help="pastes a rectangle from another image (1 typical, 0 = off)"
    )

    feature_copies: int = integer(
        0,
        minimum=0,
        maximum=64,
        label="Augmented copies",
        help="where the first layers are locked: augmented copies of each image for which these are computed "
        "once (0 = each epoch augments anew)",
        unit="copies",
    )

    label_smoothing: float = number(
        0.0, minimum=0.0, maximum=0.9, help="fraction of the target spread evenly over all classes"
    )
    class_weights: str = choice(
        "none",
        CLASS_WEIGHTS,
        help="balanced: images of rare classes weigh more in the loss, so that all classes count the same",
    )
    average_decay: float = number(
        0.0,
        minimum=0.0,
        maximum=0.99999,
        label="EMA decay",
        help="EMA decay; the averaged weights are evaluated and exported (0.999 typical, 0 = off)",
    )
    lookahead: bool = flag(False, help="resets the weights to their moving average every 5 steps")
    test_time_flip: bool = flag(
        False, label="Test-time flip", help="averages predictions over each image and its mirror image"
    )

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise RecipeError(f"name: must be text, got {describe_value(self.name)}")
        try:
            validate_parameters(self)
        except ParameterError as error:
            raise RecipeError(str(error)) from None

    @property
    def optimizer_slots(self) -> int:
        """State tensors for each weight: those of the optimizer, and the moving average."""
        own = int(self.momentum > 0) if self.optimizer == "sgd" else _SLOTS[self.optimizer]
        return own + int(self.lookahead or self.average_decay > 0)

    @property
    def has_varying_rate(self) -> bool:
        """Whether the learning rate changes during the run."""
        return self.schedule != "constant" or self.warm_up > 0 or self.unlocks

    @property
    def unlocks(self) -> bool:
        """Whether there is a second stage, in which layers train that were locked."""
        return 0 < self.unlock_after < self.epochs

    @property
    def unlocks_all(self) -> bool:
        """Whether all layers train in the second stage."""
        return self.unlocks and not self.unlock_groups

    @property
    def augmentation(self) -> Augmentation:
        """The settings for the training images."""
        return Augmentation(
            **{each.name: getattr(self, each.name) for each in dataclasses.fields(Augmentation)}
        )

    @property
    def unused_fields(self) -> frozenset[str]:
        """Fields that have no effect with the values of the others."""
        warms_up = self.warm_up > 0 or self.schedule == "one_cycle"
        is_used = {
            "momentum": self.optimizer in _WITH_MOMENTUM,
            "warm_up_start": warms_up,
            "final_rate": self.schedule in ("cosine", "linear"),
            "step_epochs": self.schedule == "step",
            "step_factor": self.schedule == "step",
            "shift_border": self.shift > 0,
            "average_decay": not self.lookahead,
            "unlock_groups": self.unlock_after > 0,
            "unlock_rate": self.unlock_after > 0,
        }
        return frozenset(name for name, used in is_used.items() if not used)

    def to_json(self) -> dict[str, Any]:
        """The content of a recipe file."""
        return {"format": FORMAT, "version": VERSION, "name": self.name, **values_to_json(self)}

    @classmethod
    def from_json(cls, content: Any) -> Recipe:
        """The recipe of a file's content; missing fields have their defaults. Raises RecipeError."""
        if not isinstance(content, Mapping) or content.get("format") != FORMAT:
            raise RecipeError(f'not a recipe: expected a JSON object with "format": "{FORMAT}"')
        version = content.get("version")
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise RecipeError(f"version: must be an integer from 1, got {describe_value(version)}")
        if version > VERSION:
            raise RecipeError(
                f"version: this program reads recipes up to version {VERSION}, not {version}: update it"
            )
        name = content.get("name", UNNAMED)
        values = {key: value for key, value in content.items() if key not in ("format", "version", "name")}
        try:
            return cls(shorten(name, 100) if isinstance(name, str) else name, **values_from_json(cls, values))
        except ParameterError as error:
            raise RecipeError(str(error)) from None

    def replace(self, **values: Any) -> Recipe:
        """This recipe with the given values. Raises RecipeError."""
        return dataclasses.replace(self, **values)


def split_valid_fields(values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The valid ones of these fields, and a text about each of the others."""
    valid: dict[str, Any] = {}
    complaints: list[str] = []
    for name, value in values.items():
        try:
            Recipe().replace(**{name: value})
        except RecipeError as error:
            complaints.append(f"the training's {error}")
        else:
            valid[name] = value
    return valid, tuple(complaints)
