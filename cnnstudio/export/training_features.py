"""The features of the training images, beside an exported model, to be not sure of what is unlike them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cnnstudio.core.files import open_regular, write_atomically
from cnnstudio.export.safetensors_file import sorted_metadata
from cnnstudio.insight.confidence.reference_images import MAX_FEATURES, reference_count
from cnnstudio.interchange.pytorch.file import TrainingDistance
from cnnstudio.layers.base import Role
from cnnstudio.training.pretrained.metadata import metadata_of

if TYPE_CHECKING:
    from cnnstudio.data.dataset import Pixels
    from cnnstudio.design.analysis.analysis import Analysis
    from cnnstudio.insight.confidence.reference_images import References
    from cnnstudio.training.model import Model

FEATURES_FILE = "training-features.safetensors"
FORMAT = "cnnstudio.training-features"
USAGE = (
    "Each row of “features” is what the last layer got of a training image, at length 1. An image is unlike "
    "any of them if 1 minus the product with the last of the “neighbors” most similar rows is above “limit”."
)
_MAX_BYTES = 50_000_000
"""Larger features are written as float16, which changes distances by a few millionths."""
_ID_LENGTH = 16
_BATCH = 32


def write_training_features(folder: Path, model: Model, references: References) -> None:
    """Writes FEATURES_FILE, which `distance_in` finds. Raises FileError if it cannot be written."""
    from safetensors.numpy import save

    from cnnstudio.insight.curation.features import last_layer

    features = np.ascontiguousarray(references.features, np.float32)
    if features.nbytes > _MAX_BYTES:
        features = features.astype(np.float16)
    digest = hashlib.sha256(features.data)
    digest.update(repr((references.limit, references.neighbors)).encode())
    metadata = {
        "format": FORMAT,
        "id": digest.hexdigest()[:_ID_LENGTH],
        "layer": last_layer(model),
        "limit": repr(references.limit),
        "neighbors": repr(references.neighbors),
        "usage": USAGE,
    }
    data = save({"features": features}, metadata=metadata)
    write_atomically(folder / FEATURES_FILE, sorted_metadata(data))


def estimate_features(analysis: Analysis, images: int) -> int:
    """How large FEATURES_FILE of that network will probably be, in bytes, for so many training images."""
    last = next((each for each in reversed(analysis.reports) if each.node.layer.role is Role.LINEAR), None)
    if last is None or last.input is None:
        return 0
    # Of an image that a convolution gets, the mean of its pixels is compared.
    values = reference_count(images, analysis.macs) * min(last.input.channels, MAX_FEATURES)
    return values * (4 if 4 * values <= _MAX_BYTES else 2)


def distance_in(folder: Path) -> TrainingDistance | None:
    """How images are compared with those in the folder's FEATURES_FILE; None if there is none."""
    metadata = metadata_of(folder / FEATURES_FILE)
    if metadata.get("format") != FORMAT:
        return None
    try:
        neighbors, limit = int(metadata["neighbors"]), float(metadata["limit"])
        return TrainingDistance(FEATURES_FILE, metadata["id"], metadata["layer"], neighbors, limit)
    except (KeyError, ValueError, OverflowError):
        return None


def distances_in(folder: Path, model: Model, images: Pixels) -> npt.NDArray[np.float32]:
    """How far uint8 (N, C, H, W) are from the training images of the folder's FEATURES_FILE, float32 (N,)."""
    from safetensors.numpy import load

    from cnnstudio.insight.confidence.references import last_features

    distance = distance_in(folder)
    assert distance is not None, "the file was just written"
    with open_regular(folder / FEATURES_FILE, None) as file:
        known = load(file.read())["features"].astype(np.float32)
    batches = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
    place = -distance.neighbors
    similar = [np.partition(last_features(model, batch) @ known.T, place, axis=1) for batch in batches]
    found: npt.NDArray[np.float32] = 1 - np.concatenate([each[:, place] for each in similar])
    return found


def distance_to_json(distance: TrainingDistance) -> dict[str, Any]:
    """For the metadata of a model, beside the threshold."""
    return {
        "file": distance.file,
        "id": distance.id,
        "layer": distance.layer,
        "neighbors": distance.neighbors,
        "limit": distance.limit,
    }
