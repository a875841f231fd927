"""How a network is trained, as a value.

Where it is trained, device and threads, is a setting of the run and not of the recipe.
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
    check_all,
    choice,
    flag,
    integer,
    number,
    shorten,
    shown,
    values_from_json,
    values_to_json,
)
from cnnstudio.data.augmentation.augmentation import BORDERS, FLIPS, Augmentation

FORMAT = "cnnstudio.recipe"
VERSION = 1
UNNAMED = "custom"
"""The name of a recipe that was changed and not kept."""

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "muon")
PRECISIONS = ("float32", "bfloat16", "auto")
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "linear")
_SLOTS: Mapping[str, int] = MappingProxyType({"adam": 2, "adamw": 2, "rmsprop": 2, "muon": 1})
_WITH_MOMENTUM = ("sgd", "rmsprop", "muon")


FIELD_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Basics": (
            *("epochs", "batch_size", "optimizer", "learning_rate"),
            *("validation_share", "patience", "seed"),
        ),
        "Schedule": ("schedule", "warm_up", "warm_up_start", "final_rate", "step_epochs", "step_factor"),
        "Steps": (
            *("momentum", "weight_decay", "clip_norm", "label_smoothing", "norm_bias_rate"),
            *("average_decay", "lookahead", "accumulate", "precision"),
        ),
        "Images": (
            *("flip", "shift", "shift_border", "crop", "cutout"),
            *("brightness", "contrast", "saturation", "mixup", "cutmix", "test_time_flip"),
        ),
    }
)
"""The fields as people look for them."""

MOST_PARTS = 1024
"""In which a batch may be computed."""


class RecipeError(UserError):
    """A recipe that cannot be; the message names the field."""


@dataclass(frozen=True)
class _Flip(Choice):
    """Recipes of the first version say true or false."""

    def check(self, value: Any) -> str:
        return super().check(("off", "random")[value] if isinstance(value, bool) else value)


@dataclass(frozen=True)
class Recipe:
    """Optimizer, learning rate, batches and augmentation. Raises RecipeError for a value out of range."""

    name: str = UNNAMED

    epochs: int = integer(10, maximum=10_000, help="times that all training images are seen")
    patience: int = integer(
        0,
        minimum=0,
        maximum=10_000,
        help="ends the run after so many epochs that bring nothing better; 0: never",
        unit="epochs",
    )
    batch_size: int = integer(32, maximum=65_536, help="images for one step", unit="images")
    accumulate: int = integer(
        1,
        maximum=MOST_PARTS,
        label="Parts of a batch",
        help="computed one after the other for the same step: more parts take less memory",
    )
    precision: str = choice(
        "float32",
        PRECISIONS,
        help="bfloat16 computes each step in half the digits, which newer processors and graphics cards do "
        "faster; the weights themselves keep theirs; auto: bfloat16 where the device has instructions for it",
    )
    validation_share: float = number(
        0.0, minimum=0.0, maximum=0.5, help="of the training images; 0: the test set serves as validation"
    )
    seed: int = integer(0, minimum=0, maximum=2**31 - 1, help="the same seed gives the same run")

    optimizer: str = choice(
        "adam",
        OPTIMIZERS,
        help="sgd is SGD with Nesterov momentum; muon turns whole kernels and leaves the rest to adamw",
    )
    learning_rate: float = number(
        0.001, minimum=1e-8, maximum=100.0, help="size of a step; the schedule's highest"
    )
    momentum: float = number(
        0.9, minimum=0.0, maximum=0.999, help="of sgd, rmsprop and muon; adam and adamw have their own"
    )
    weight_decay: float = number(
        0.0, minimum=0.0, maximum=1.0, help="pulls weights towards zero, but no biases and norms"
    )
    clip_norm: float = number(
        0.0, minimum=0.0, maximum=1e6, help="longest gradient of all weights together; 0: any"
    )
    norm_bias_rate: float = number(
        1.0,
        minimum=0.01,
        maximum=1000.0,
        label="Norms' bias rate",
        help="learning rate of normalizations' biases, in times the others'",
    )

    schedule: str = choice("constant", SCHEDULES, help="how the learning rate changes from step to step")
    warm_up: float = number(
        0.0,
        minimum=0.0,
        maximum=0.9,
        help="share of the run in which the rate rises; for one_cycle 0 means 0.3",
    )
    warm_up_start: float = number(
        0.04, minimum=0.0, maximum=1.0, label="Starts at", help="share of the learning rate at first"
    )
    final_rate: float = number(
        0.0, minimum=0.0, maximum=1.0, label="Ends at", help="share of the learning rate at last"
    )
    step_epochs: int = integer(
        10,
        maximum=10_000,
        label="Step every",
        help="epochs until the rate is multiplied once more",
        unit="epochs",
    )
    step_factor: float = number(
        0.1, minimum=1e-6, maximum=1.0, help="what the rate is multiplied by at each step"
    )

    flip: str = choice(
        "off",
        FLIPS,
        help="mirrors images left to right, by chance or each in every other epoch",
        kind=_Flip,
    )
    shift: int = integer(0, minimum=0, maximum=16, help="moves images by up to so many pixels", unit="pixels")
    shift_border: str = choice("reflect", BORDERS, help="what comes in at the side: a mirror image, or black")
    crop: float = number(
        0.0, minimum=0.0, maximum=0.9, help="cuts away up to this share of each side, and enlarges the rest"
    )
    cutout: int = integer(
        0, minimum=0, maximum=1024, help="side in pixels of a square that is painted over", unit="pixels"
    )
    brightness: float = number(0.0, minimum=0.0, maximum=1.0, help="varies by up to this share")
    contrast: float = number(0.0, minimum=0.0, maximum=1.0, help="varies by up to this share")
    saturation: float = number(
        0.0, minimum=0.0, maximum=1.0, help="varies by up to this share; nothing on gray images"
    )
    mixup: float = number(
        0.0, minimum=0.0, maximum=10.0, help="blends two images and their classes; 0.2 is usual, 0 is off"
    )
    cutmix: float = number(
        0.0, minimum=0.0, maximum=10.0, help="pastes a part of another image in; 1 is usual, 0 is off"
    )

    label_smoothing: float = number(
        0.0, minimum=0.0, maximum=0.9, help="share of the target that is spread over all classes"
    )
    average_decay: float = number(
        0.0,
        minimum=0.0,
        maximum=0.99999,
        help="of a moving average of the weights, which then counts; 0.999 is usual, 0 is off",
    )
    lookahead: bool = flag(False, help="puts the weights back onto their average every 5 steps")
    test_time_flip: bool = flag(
        False, help="judges an image and its mirror image together, wherever this run is evaluated"
    )

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise RecipeError(f"name: text is needed, not {shown(self.name)}")
        try:
            check_all(self)
        except ParameterError as error:
            raise RecipeError(str(error)) from None

    @property
    def optimizer_slots(self) -> int:
        """Numbers that are kept for each weight: the optimizer's, and the average."""
        own = int(self.momentum > 0) if self.optimizer == "sgd" else _SLOTS[self.optimizer]
        return own + int(self.lookahead or self.average_decay > 0)

    @property
    def changes_rate(self) -> bool:
        """Whether not all steps have the same learning rate."""
        return self.schedule != "constant" or self.warm_up > 0

    @property
    def augmentation(self) -> Augmentation:
        """What happens to the training images."""
        return Augmentation(
            **{each.name: getattr(self, each.name) for each in dataclasses.fields(Augmentation)}
        )

    @property
    def idle_fields(self) -> frozenset[str]:
        """Fields that change nothing, as the others are."""
        warms_up = self.warm_up > 0 or self.schedule == "one_cycle"
        used = {
            "momentum": self.optimizer in _WITH_MOMENTUM,
            "warm_up_start": warms_up,
            "final_rate": self.schedule in ("cosine", "linear"),
            "step_epochs": self.schedule == "step",
            "step_factor": self.schedule == "step",
            "shift_border": self.shift > 0,
            "average_decay": not self.lookahead,
        }
        return frozenset(name for name, matters in used.items() if not matters)

    def to_json(self) -> dict[str, Any]:
        """The content of a recipe file."""
        return {"format": FORMAT, "version": VERSION, "name": self.name, **values_to_json(self)}

    @classmethod
    def from_json(cls, content: Any) -> Recipe:
        """The recipe of a file's content; what is missing takes the defaults. Raises RecipeError."""
        if not isinstance(content, Mapping) or content.get("format") != FORMAT:
            raise RecipeError(f'this is no recipe: a recipe is a JSON object with "format": "{FORMAT}"')
        version = content.get("version")
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise RecipeError(f"version: a whole number from 1 is needed, not {shown(version)}")
        if version > VERSION:
            raise RecipeError(
                f"version: this recipe is of version {version}; this program reads up to {VERSION}, so update"
            )
        name = content.get("name", UNNAMED)
        values = {key: value for key, value in content.items() if key not in ("format", "version", "name")}
        try:
            return cls(shorten(name, 100) if isinstance(name, str) else name, **values_from_json(cls, values))
        except ParameterError as error:
            raise RecipeError(str(error)) from None

    def replace(self, **values: Any) -> Recipe:
        """This recipe with other values. Raises RecipeError."""
        return dataclasses.replace(self, **values)


LESSON = Recipe("lesson")
"""The lesson to the letter: Adam, batches of 32, 10 epochs, the test set as validation, no augmentation."""

STUDIO = Recipe(
    "studio",
    epochs=8,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
    schedule="one_cycle",
    warm_up=0.15,
    weight_decay=0.0005,
    label_smoothing=0.1,
    flip="random",
    shift=2,
    average_decay=0.99,
    validation_share=0.05,
    precision="auto",
)
"""What learns best in the lesson's network on a CPU.

The average of the weights is far ahead of them while the rate is high, and level with them at the end; so is
a rate that falls early. Together they show after two epochs what else takes four.
"""

FAST_GPU = Recipe(
    "fast-gpu",
    epochs=10,
    batch_size=1024,
    optimizer="sgd",
    learning_rate=1.5,
    momentum=0.85,
    weight_decay=0.00133,
    norm_bias_rate=64.0,
    schedule="linear",
    warm_up=0.23,
    warm_up_start=0.2,
    final_rate=0.07,
    label_smoothing=0.2,
    flip="alternating",
    shift=2,
    lookahead=True,
    test_time_flip=True,
    precision="auto",
)
"""That of airbench94 (Jordan 2024, cifar10-airbench), for the template of its name on a graphics card.

Its learning rate of 11.5 for 1,024 images is divided by 1 + 1 / (1 - momentum); as it adds up the losses of
a batch and here their mean is taken, 1.5 is the same. Its 9.9 epochs are rounded up, the whitening's bias
learns to the end, biases of normalizations do not decay, and images are not shifted at test time.
"""

FAST_CPU = FAST_GPU.replace(
    name="fast-cpu",
    epochs=4,
    batch_size=256,
    optimizer="muon",
    learning_rate=0.015,
    momentum=LESSON.momentum,
    weight_decay=0.1,
    norm_bias_rate=1.0,
    validation_share=0.02,
)
"""For the template airbench-small on a processor.

What is not about the optimizer is that of airbench94 (`FAST_GPU`): in few epochs Muon gets further than SGD.
"""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {"studio": STUDIO, "lesson": LESSON, "fast-cpu": FAST_CPU, "fast-gpu": FAST_GPU}
)
"""By name; the default first."""

PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "studio": "What learns best in the lesson's network on a processor",
        "lesson": "The lesson to the letter: Adam, batches of 32, 10 epochs",
        "fast-cpu": "For the template airbench-small on a processor: far in few epochs",
        "fast-gpu": "For the template airbench94 on a graphics card; others need a lower learning rate",
    }
)
"""What each of them is for."""


def possible_fields(values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Which of these fields a recipe can have, and half a sentence on each value that it cannot."""
    taken: dict[str, Any] = {}
    complaints: list[str] = []
    for name, value in values.items():
        try:
            Recipe().replace(**{name: value})
        except RecipeError as error:
            complaints.append(f"the training's {error}")
        else:
            taken[name] = value
    return taken, tuple(complaints)
