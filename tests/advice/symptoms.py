"""For each diagnosis: trainings that have the problem, and some that resemble them and have it not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Role
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.training.events import DiagnosisKind
from cnnstudio.training.recipe.recipe import Recipe
from tests.advice.bases import (
    BASES,
    CLASSES,
    LESSON,
    SIZE,
    SMOOTH,
    conv,
    output,
    with_values,
    without,
)
from tests.design.builders import network

USUAL = Recipe(epochs=4, batch_size=32)
"""Adam at 0.001, as the lesson has it."""


@dataclass(frozen=True)
class Case:
    network: Network
    recipe: Recipe = USUAL
    images: int = 1_000


Promise = Literal["accuracy", "no worse"]
"""What the remedy brings, after as many clicks as the diagnosis is made: in most trainings a more accurate
network, or in the mean one that is not less accurate."""


@dataclass(frozen=True)
class Symptom:
    """One diagnosis, and what to try it on: six trainings of each kind."""

    kind: DiagnosisKind
    sick: tuple[Case, ...]
    healthy: tuple[Case, ...]
    promise: Promise = "accuracy"


LINEAR = with_values(without(SMOOTH, Role.ACTIVATION), Role.LINEAR, activation="linear")
DENSE = network(Flatten(), Dense(64, "relu"), Dense(CLASSES), input=(3, SIZE, SIZE))
FOUR_PIXELS = network(
    *(conv(10, kernel_size=(2, 2)), conv(10, kernel_size=(1, 1)), GlobalAveragePooling2D(), Dense(CLASSES)),
    input=(3, SIZE, SIZE),
)
NARROW = network(
    *(conv(2, "elu"), MaxPooling2D(), conv(4, "elu"), MaxPooling2D((4, 4)), Flatten(), Dense(CLASSES)),
    input=(3, SIZE, SIZE),
)
"""It has soon learned all that it can; twice as wide, it learns more."""
SMALL = network(
    *(conv(4, "elu"), MaxPooling2D(), conv(6, "elu"), GlobalAveragePooling2D(), Dense(CLASSES)),
    input=(3, SIZE, SIZE),
)
"""It cannot memorize even a few images."""


def _activated(value: Network, activation: str) -> Network:
    """With that activation everywhere. Units of relu and gelu die at a high rate, others do not."""
    for node in value.walk():
        if node.id != output(value).id:
            changed = node.layer.with_values({"activation": activation})
            value = edits.replace(value, node.id, layer=changed)
    return value


LIVELY = tuple(
    _activated(base, activation)
    for base, activation in zip(BASES, ("leaky_relu", "elu", "tanh") * 2, strict=True)
)


def _cases(networks: tuple[Network, ...], *rates: tuple[str, float]) -> tuple[Case, ...]:
    recipes = (USUAL.replace(optimizer=optimizer, learning_rate=rate) for optimizer, rate in rates)
    return tuple(Case(value, recipe) for value, recipe in zip(networks, recipes, strict=True))


USUALLY_TRAINED = tuple(Case(base) for base in BASES)
CANNOT_LEARN_MORE = (
    *(Case(LINEAR), Case(DENSE), Case(FOUR_PIXELS), Case(LESSON)),
    *(Case(SMALL), Case(LINEAR, USUAL.replace(optimizer="sgd", learning_rate=0.01))),
)
FEW_IMAGES = USUAL.replace(epochs=20, learning_rate=0.003)
AUGMENTED = FEW_IMAGES.replace(flip="random", shift=2, epochs=8)
LONG = USUAL.replace(epochs=60, learning_rate=0.01, flip="random", shift=1)
"""Augmented, because what overfits is not on a plateau."""

SYMPTOMS = (
    Symptom(
        "rate_too_high",
        _cases(
            LIVELY,
            *(("adam", 0.1), ("adam", 0.3), ("adam", 0.1)),
            *(("sgd", 0.5), ("rmsprop", 0.1), ("adamw", 0.3)),
        ),
        CANNOT_LEARN_MORE,
    ),
    Symptom(
        "rate_too_low",
        _cases(
            BASES,
            *(("adam", 1e-5), ("sgd", 1e-5), ("adam", 1e-5)),
            *(("sgd", 3e-5), ("rmsprop", 1e-6), ("adamw", 1e-5)),
        ),
        CANNOT_LEARN_MORE,
    ),
    Symptom(
        "dead_units",
        _cases(
            BASES,
            *(("adam", 0.03), ("adam", 0.1), ("adam", 0.1)),
            *(("adam", 0.03), ("adam", 0.1), ("adamw", 0.1)),
        ),
        USUALLY_TRAINED,
    ),
    Symptom(
        "overfitting",
        tuple(Case(base, FEW_IMAGES, 300) for base in BASES),
        tuple(Case(base, AUGMENTED) for base in BASES),
    ),
    Symptom(
        "plateau",
        tuple(
            Case(_activated(NARROW, name), LONG)
            for name in ("tanh", "leaky_relu", "gelu", "linear", "relu", "elu")
        ),
        USUALLY_TRAINED,
    ),
    Symptom(
        "diverged",
        _cases(
            tuple(_activated(base, "leaky_relu") for base in BASES),
            *(("sgd", 5.0), ("sgd", 50.0), ("sgd", 5.0)),
            *(("sgd", 2.0), ("sgd", 5.0), ("sgd", 5.0)),
        ),
        CANNOT_LEARN_MORE,
    ),
)
