"""What to try against each thing that can go wrong in a training: in words, and as recipe or network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cnnstudio.design.edits import insert
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Role
from cnnstudio.layers.catalog import layer_type
from cnnstudio.training.events import Kind
from cnnstudio.training.recipe.recipe import MOST_PARTS, UNNAMED, Recipe, RecipeError

_LOWER, _GENTLER, _HIGHER = 0.1, 1 / 3, 10.0
_SHIFT = 2
_DECAY = 0.0005


@dataclass(frozen=True)
class Remedy:
    """What one click does."""

    button: str
    """A few words, such as `Use a learning rate of 0.005`."""
    fields: Mapping[str, Any]
    """Of the recipe, with their new values."""
    network: Network | None = None
    """The network as it should be, where that is what changes."""

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with it."""
        return recipe.replace(**self.fields, name=UNNAMED)


def advice(kind: Kind, recipe: Recipe) -> str:
    """What to try, in one sentence."""
    return _ADVICE[kind](recipe)


def remedy(kind: Kind, recipe: Recipe, network: Network) -> Remedy | None:
    """The change that is worth a try first; None where nothing simple is left to try."""
    found = _REMEDIES[kind](recipe)
    if found is None and kind == "overfitting":
        return _dropping(network)
    try:
        return found if found is not None and found.applied(recipe) != recipe else None
    except RecipeError:
        # A value beyond what is possible helps nobody.
        return None


def _rate(factor: float) -> Callable[[Recipe], Remedy]:
    def change(recipe: Recipe) -> Remedy:
        rate = float(f"{recipe.learning_rate * factor:.1e}")
        return Remedy(f"Use a learning rate of {rate:g}", {"learning_rate": rate})

    return change


def in_parts(parts: int) -> Remedy:
    """The same steps in less memory."""
    return Remedy(f"Compute each batch in {parts:,} parts", {"accumulate": parts})


def _more_parts(recipe: Recipe) -> Remedy | None:
    parts = 2 * recipe.accumulate
    return in_parts(parts) if parts <= min(recipe.batch_size, MOST_PARTS) else None


def _against_overfitting(recipe: Recipe) -> Remedy | None:
    if recipe.flip == "off" or not recipe.shift:
        varied = {"flip": recipe.flip if recipe.flip != "off" else "random", "shift": recipe.shift or _SHIFT}
        return Remedy("Vary the images", varied)
    if not recipe.weight_decay:
        return Remedy(f"Use a weight decay of {_DECAY:g}", {"weight_decay": _DECAY})
    return None


def _dropping(network: Network) -> Remedy | None:
    """Dropout before the layer that gives the scores, in a network that drops nothing yet."""
    active = [node for node in network.nodes if node.is_active]
    if any(node.layer.role is Role.DROPS for node in network.walk()):
        return None
    last = next((node for node in reversed(active) if node.layer.role is Role.MIXES), None)
    if last is None or last is active[0]:
        return None
    node = network.fresh_ids().node(layer_type("Dropout")())
    return Remedy("Add Dropout", {}, insert(network, network.place(last.id), [node]))


def _against_plateau(recipe: Recipe) -> Remedy | None:
    if recipe.schedule == "constant":
        return Remedy("Let the learning rate fall", {"schedule": "cosine"})
    return _rate(_GENTLER)(recipe)


def _overfitting_words(recipe: Recipe) -> str:
    if recipe.flip == "off" or not recipe.shift:
        return "Vary the training images by flips and shifts, or add Dropout before the last Dense layer."
    return "Add Dropout before the last Dense layer, use weight decay, or stop at the best epoch (patience)."


def _memory_words(recipe: Recipe) -> str:
    if _more_parts(recipe) is None:
        return "Take fewer filters or units, or smaller images."
    return (
        f"Compute each batch of {recipe.batch_size:,} in {2 * recipe.accumulate} parts: the same steps in "
        "less memory."
    )


_REMEDIES: Mapping[Kind, Callable[[Recipe], Remedy | None]] = MappingProxyType(
    {
        "diverged": _rate(_LOWER),
        "memory": _more_parts,
        "rate_too_high": _rate(_LOWER),
        "rate_too_low": _rate(_HIGHER),
        "dead_units": _rate(_LOWER),
        "overfitting": _against_overfitting,
        "plateau": _against_plateau,
    }
)

_ADVICE: Mapping[Kind, Callable[[Recipe], str]] = MappingProxyType(
    {
        "diverged": lambda recipe: (
            f"Try a learning rate below {recipe.learning_rate:g}, or clip the gradients."
        ),
        "memory": _memory_words,
        "rate_too_high": lambda recipe: f"Try a learning rate below {recipe.learning_rate:g}.",
        "rate_too_low": lambda recipe: f"Try a learning rate above {recipe.learning_rate:g}.",
        "dead_units": lambda recipe: (
            f"Try a learning rate below {recipe.learning_rate:g}, BatchNormalization, or leaky_relu for relu."
        ),
        "overfitting": _overfitting_words,
        "plateau": lambda recipe: (
            "Let the learning rate fall towards the end, or give the network more filters."
        ),
    }
)
