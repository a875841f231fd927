"""Which of several models in Keras code is imported, and what the others are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.values import Instance
from cnnstudio.interchange.keras.assembly import PREPROCESSING_LAYERS
from cnnstudio.interchange.keras.augmentation import is_augmentation_layer
from cnnstudio.interchange.keras.models import Model

_MAXIMUM_NAMED = 20


def networks_of(models: Sequence[Model]) -> list[Model]:
    """The models that are networks of their own: with layers, and not only a part of another model."""
    found = [model for model in models if layer_count(model)]
    # A model that is trained counts even if another one contains it, such as one with a softmax.
    return [model for model in found if not model.is_part or model.importance] or found


def layer_count(model: Model) -> int:
    """The number of layers; those that only prepare images do not make a network."""
    calls = graph.iter_calls(model.items)
    return sum(
        1 for call in calls if call.name not in PREPROCESSING_LAYERS and not is_augmentation_layer(call)
    )


def main_network(models: Sequence[Model]) -> Model | None:
    """The most important of the networks, and among equals the largest; None if there is none."""
    return max(networks_of(models), key=lambda model: (model.importance, layer_count(model)), default=None)


def named_networks(models: Sequence[Model], variables: Mapping[str, Any]) -> dict[str, Model]:
    """Name -> network: the variable, else the name in the code, else the line, in the order of the code."""
    bound: dict[int, str] = {}
    for name, value in variables.items():
        if isinstance(value, Model | Instance):
            bound.setdefault(id(value), name)
    found: dict[str, Model] = {}
    for model in networks_of(models)[:_MAXIMUM_NAMED]:
        name = bound.get(id(model.instance or model)) or model.name
        found[name if name and name not in found else f"line {model.line}"] = model
    return found


def network_named(name: str, networks: Mapping[str, Model]) -> Model:
    """The network of that name. Raises CodeError, which lists the names."""
    if name not in networks:
        listed = f"; there is {', '.join(networks)}" if networks else ""
        raise CodeError(f"there is no network “{name}” in the code{listed}")
    return networks[name]
