"""What a pretrained network makes of images, kept where a following training of its template finds it."""

from __future__ import annotations

from collections.abc import Collection

from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.adaptation import fit_to_data
from cnnstudio.design.network import Network
from cnnstudio.design.templates import template
from cnnstudio.layers.base import Shape
from cnnstudio.training.frozen.features import FrozenFeatures
from cnnstudio.training.frozen.store import Features
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.pretrained.catalog import EFFICIENTNET_LITE0
from cnnstudio.training.recipe.built_in import PRETRAINED as RECIPE
from cnnstudio.training.recipe.recipe import Recipe


def pretrained_network(dataset: Dataset) -> Network:
    """The template of the pretrained network, with a last layer and an input for that data set."""
    shape = Shape.of(*dataset.shape)
    return fit_to_data(template(EFFICIENTNET_LITE0.name).network, len(dataset.classes), shape)


def pretrained_recipe() -> Recipe:
    """The recipe that was made for it."""
    return RECIPE


def pretrained_features(
    dataset: Dataset,
    device: str = "auto",
    *,
    parts: Collection[str] = ("train", "test", "validation"),
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> dict[str, Features]:
    """By split, the input of the template's last layer, (N, 1280), mapped read-only.

    Of the splits in `parts` only; in the precision in which a training by the recipe computes them. Raises
    PretrainedError if the weights are not installed, the other errors of `prepare`, and Cancelled.
    """
    network = pretrained_network(dataset)
    # Held-out images are taken from the training images, so that all of these are computed.
    recipe = pretrained_recipe().replace(validation_share=0)
    prepared = prepare(
        network, dataset, recipe, device, check_memory=False, progress=progress, cancelled=cancelled
    )
    features = FrozenFeatures(prepared, prepared.fresh_model(), progress, cancelled)
    splits = {"train": prepared.train, "test": prepared.test}
    if isinstance(prepared.validation, Split) and prepared.validation_source == "own":
        splits["validation"] = prepared.validation
    return {part: features.all_images(split) for part, split in splits.items() if part in parts}
