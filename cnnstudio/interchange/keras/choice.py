"""Which of several models in Keras code is imported, and what the others are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.values import Instance
from cnnstudio.interchange.keras.assembly import PREPROCESSING_LAYERS
from cnnstudio.interchange.keras.augmentation import is_augmentation_layer
from cnnstudio.interchange.keras.models import Model
from cnnstudio.layers.code import Call

_MAXIMUM_NAMED = 20


def networks_of(models: Sequence[Model]) -> list[Model]:
    """The models that are networks of their own: with layers, and not only a part of another model."""
    counts = _layer_counts(models)
    found = [model for model, count in zip(models, counts, strict=True) if count]
    # A model that is trained counts even if another one contains it, such as one with a softmax.
    return [model for model in found if not model.is_part or model.importance] or found


def main_network(models: Sequence[Model]) -> Model | None:
    """The most important of the networks; None if there is none.

    Among equals, rather one that classifies images than one that makes them, and the largest. Of networks
    that are trained and equally large, the last: it is the one that the others led to.
    """
    networks = networks_of(models)
    sizes = _layer_counts(networks)

    def rank(index: int) -> tuple[int, bool, int, int]:
        importance = networks[index].importance
        classifies = not _makes_images(networks[index])
        return importance, classifies, sizes[index], index if importance else -index

    return networks[max(range(len(networks)), key=rank)] if networks else None


def _makes_images(model: Model) -> bool:
    """Whether a network makes images of numbers, as the generator of a GAN does."""
    calls = list(graph.iter_calls(tuple(model.items)))
    weighted = [call for call in calls if call.name.startswith(("Conv", "Dense", "Separable", "Depthwise"))]
    is_from_numbers = bool(weighted) and weighted[0].name == "Dense"
    return any(
        call.name == "Conv2DTranspose" or (is_from_numbers and call.name == "Reshape" and _is_image(call))
        for call in calls
    )


def _is_image(call: Call) -> bool:
    """Whether a Reshape makes images: its only argument has three sizes."""
    target = call.positional[0] if call.positional else call.keywords.get("target_shape")
    return isinstance(target, list | tuple) and len(target) == 3


def _layer_counts(models: Iterable[Model]) -> list[int]:
    """The number of layers of each; those that only prepare images do not make a network."""
    # Each part is counted once, however many models contain it: a model may contain the one before twice,
    # that one the one before it twice, and so on.
    known: dict[int, int] = {}

    def count(items: Iterable[graph.Item]) -> int:
        total = 0
        for item in items:
            if isinstance(item, graph.LayerCall):
                total += item.call.name not in PREPROCESSING_LAYERS and not is_augmentation_layer(item.call)
                continue
            if id(item) not in known:
                known[id(item)] = count(graph.inner_items(item))
            total += known[id(item)]
        return total

    return [count(model.items) for model in models]


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
