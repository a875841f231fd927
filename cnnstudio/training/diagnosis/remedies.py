"""What to try against each problem of a training: as text, and as a change of the recipe or the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.edits import insert, replace
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Role
from cnnstudio.layers.catalog import layer_type
from cnnstudio.training.events import DiagnosisKind
from cnnstudio.training.recipe.recipe import MAX_ACCUMULATE, MAX_EPOCHS, UNNAMED, Recipe, RecipeError

_LOWER, _HIGHER = 0.1, 10.0
_MAX_SHIFT = 16
_AVERAGE = 0.99
_USUAL_RATES: Mapping[str, float] = MappingProxyType(
    {"sgd": 0.01, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "muon": 0.02}
)
"""At which networks of all kinds learn, if not as fast as they could."""


@dataclass(frozen=True)
class Remedy:
    """A change that one click applies."""

    label: str
    """The button's text, such as `Use a learning rate of 0.005`."""
    fields: Mapping[str, Any]
    """Fields of the recipe, with their new values."""
    network: Network | None = None
    """The changed network, if that is what changes."""

    def apply_to(self, recipe: Recipe) -> Recipe:
        """The changed recipe."""
        return recipe.replace(**self.fields, name=UNNAMED)


def advice(kind: DiagnosisKind, recipe: Recipe, network: Network) -> str:
    """What to try, in one sentence; for validation_better see `validation_gap`, which knows the run."""
    return _ADVICE[kind](recipe, network)


def remedy(kind: DiagnosisKind, recipe: Recipe, network: Network) -> Remedy | None:
    """The change to try first; None if nothing simple is left."""
    suited = _SUITED_REMEDIES.get(kind)
    found = suited(recipe, network) if suited is not None else _REMEDIES[kind](recipe)
    if found is None or found.network is not None:
        return found
    try:
        return found if found.apply_to(recipe) != recipe else None
    except RecipeError:
        # The recipe has reached the limit of the field.
        return None


def _rate_remedy(factor: float) -> Callable[[Recipe], Remedy]:
    def change(recipe: Recipe) -> Remedy:
        rate = float(f"{recipe.learning_rate * factor:.1e}")
        return Remedy(f"Use a learning rate of {rate:g}", {"learning_rate": rate})

    return change


def _usual_rate(recipe: Recipe) -> Remedy:
    """A rate that does not diverge. A tenth of one that does often diverges as well (`make advice`)."""
    usual = _USUAL_RATES[recipe.optimizer]
    if recipe.learning_rate * _LOWER <= usual:
        return _rate_remedy(_LOWER)(recipe)
    return Remedy(f"Use a learning rate of {usual:g}", {"learning_rate": usual})


def split_batches(parts: int) -> Remedy:
    """Gradient accumulation: the same steps in less memory."""
    return Remedy(f"Split each batch into {parts:,}", {"accumulate": parts})


def _more_accumulation(recipe: Recipe) -> Remedy | None:
    parts = 2 * recipe.accumulate
    return split_batches(parts) if parts <= min(recipe.batch_size, MAX_ACCUMULATE) else None


def _against_overfitting(recipe: Recipe, network: Network) -> Remedy | None:
    if not _is_augmented(recipe):
        # Augmented images are learned more slowly: in the same number of epochs often less than before.
        epochs = min(2 * recipe.epochs, MAX_EPOCHS)
        return Remedy(
            f"Augment the images and train {epochs:,} epochs",
            {
                "flip": recipe.flip if recipe.flip != "off" else "random",
                "shift": recipe.shift or _usual_shift(network),
                "epochs": epochs,
            },
        )
    if _may_average(recipe):
        return Remedy("Average the weights", {"average_decay": _AVERAGE})
    return _dropout_remedy(network)


def _is_augmented(recipe: Recipe) -> bool:
    return recipe.flip != "off" and recipe.shift > 0


def _may_average(recipe: Recipe) -> bool:
    """Whether the average of the weights is worth trying: at a rate that does not fall by itself."""
    return not recipe.average_decay and not recipe.lookahead and recipe.schedule == "constant"


def _usual_shift(network: Network) -> int:
    """Two pixels of images of 32 × 32."""
    return min(max(min(network.input.dims[1:]) // 16, 1), _MAX_SHIFT)


def _dropout_remedy(network: Network) -> Remedy | None:
    """Dropout before the output layer, for a network without any."""
    active = [node for node in network.nodes if node.is_active]
    if any(node.layer.role is Role.DROPOUT for node in network.walk()):
        return None
    last = next((node for node in reversed(active) if node.layer.role is Role.LINEAR), None)
    if last is None or last is active[0]:
        return None
    node = network.fresh_ids().node(layer_type("Dropout")())
    return Remedy("Add Dropout", {}, insert(network, network.place(last.id), [node]))


def _is_normalized(network: Network) -> bool:
    """Whether there is a normalization after every layer with trained weights, but the last."""
    is_normalized = True
    for layer in (node.layer for node in network.walk() if node.is_active):
        if layer.role is Role.NORMALIZATION:
            is_normalized = True
        elif layer.role is Role.LINEAR:
            if not is_normalized:
                return False
            is_normalized = False
    return any(node.layer.role is Role.NORMALIZATION for node in network.walk() if node.is_active)


def _wider_network(recipe: Recipe, network: Network) -> Remedy | None:
    """Twice the filters everywhere; None if some layer does not work with them."""
    wider = network
    for node in network.walk():
        filters = getattr(node.layer, "filters", None)
        if filters is not None:
            try:
                layer = node.layer.with_values({"filters": 2 * filters})
            except ParameterError:
                return None
            wider = replace(wider, node.id, layer=layer)
    is_sound = wider is not network and len(analyze(wider).problems) <= len(analyze(network).problems)
    return Remedy("Double the filters", {}, wider) if is_sound else None


def _overfitting_advice(recipe: Recipe, network: Network) -> str:
    if not _is_augmented(recipe):
        return (
            "Augment the training images (flip, shift) and train for more epochs, or add Dropout before the "
            "last Dense layer."
        )
    if _may_average(recipe):
        return "Average the weights (EMA decay), or stop at the best epoch (patience)."
    return (
        "Stop at the best epoch (patience). Dropout before the last Dense layer and weight decay delay "
        "overfitting, but do not always raise the accuracy."
    )


def _dead_units_advice(recipe: Recipe, network: Network) -> str:
    """Normalization only where layers of the network have none."""
    others = "" if _is_normalized(network) else "BatchNormalization, "
    return f"Try a learning rate below {recipe.learning_rate:g}, {others}or leaky_relu instead of relu."


def _memory_advice(recipe: Recipe, network: Network) -> str:
    if _more_accumulation(recipe) is None:
        return "Use fewer filters or units, or smaller images."
    return (
        f"Split each batch of {recipe.batch_size:,} into {2 * recipe.accumulate} (gradient accumulation): "
        "the same steps in less memory."
    )


_REMEDIES: Mapping[DiagnosisKind, Callable[[Recipe], Remedy | None]] = MappingProxyType(
    {
        "diverged": _usual_rate,
        "memory": _more_accumulation,
        "rate_too_high": _rate_remedy(_LOWER),
        "rate_too_low": _rate_remedy(_HIGHER),
        "dead_units": _rate_remedy(_LOWER),
        "class_sizes": lambda recipe: Remedy("Balance the class weights", {"class_weights": "balanced"}),
        "validation_better": lambda recipe: None,
    }
)

_SUITED_REMEDIES: Mapping[DiagnosisKind, Callable[[Recipe, Network], Remedy | None]] = MappingProxyType(
    {"overfitting": _against_overfitting, "plateau": _wider_network}
)
"""Those that depend on the network."""

_ADVICE: Mapping[DiagnosisKind, Callable[[Recipe, Network], str]] = MappingProxyType(
    {
        "diverged": lambda recipe, network: (
            f"Try a learning rate of {_usual_rate(recipe).fields['learning_rate']:g} or less."
        ),
        "memory": _memory_advice,
        "rate_too_high": lambda recipe, network: f"Try a learning rate below {recipe.learning_rate:g}.",
        "rate_too_low": lambda recipe, network: f"Try a learning rate above {recipe.learning_rate:g}.",
        "dead_units": _dead_units_advice,
        "overfitting": _overfitting_advice,
        "plateau": lambda recipe, network: (
            "Longer training at this rate hardly helps. Use more filters; a learning rate that falls towards "
            "the end (a cosine schedule) helps less often."
        ),
        "class_sizes": lambda recipe, network: (
            "With balanced class weights (class_weights in the recipe), all classes count the same."
        ),
    }
)
