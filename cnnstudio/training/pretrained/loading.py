"""Reads pretrained weights out of their package, once; after that from a safetensors file of the user's.

This is the only place where a pickle is loaded. It is the file of a known SHA-256 in a package that the user
installed; the very bytes that were hashed are loaded, and with `weights_only=True` (docs/decisions/0007).
"""

from __future__ import annotations

import hashlib
import io
import logging

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cnnstudio.core.files import FileError, read_json, read_regular, write_atomically, write_json
from cnnstudio.design.adaptation import adapt_to_classes
from cnnstudio.design.network import Network
from cnnstudio.design.templates import template
from cnnstudio.training.model import build_model
from cnnstudio.training.pretrained.catalog import PretrainedError, PretrainedWeights, pretrained
from cnnstudio.training.pretrained.installed import converted_file, locate

_log = logging.getLogger(__name__)

_MAX_BYTES = 64 * 2**20
"""More than any of the files: nothing larger is read."""


def load_pretrained(name: str) -> tuple[Network, dict[str, Tensor]]:
    """The network that the weights were trained as, and its weights, float32, by the names in its model.

    Raises PretrainedError if there are no such weights, if their package is missing, or if its file is not
    the expected one.
    """
    weights = pretrained(name)
    network = adapt_to_classes(template(weights.name).network, weights.classes)
    found = _read_converted(weights, network)
    if found is None:
        found = _with_names_of(network, _load_package(weights), weights)
        _save_converted(weights, found)
    return network, found


def _load_package(weights: PretrainedWeights) -> dict[str, Tensor]:
    """The state dict in the package's file."""
    file = locate(weights)
    if file is None:
        raise PretrainedError(f"{weights.missing_message}.")
    try:
        data = read_regular(file, _MAX_BYTES)
    except OSError as error:
        raise PretrainedError(f"Cannot read the weights of {weights.title}: {error.strerror}.") from None
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise PretrainedError(
            f"The weights of {weights.title} are damaged or of another version ({file.name} has another "
            f"checksum), so they were not read: reinstall {weights.distribution}."
        )
    found: dict[str, Tensor] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return found


def _with_names_of(
    network: Network, state: dict[str, Tensor], weights: PretrainedWeights
) -> dict[str, Tensor]:
    """The state dict under the names of the network's model, which has the same layers in the same order."""
    expected = _expected(network)
    pairs = list(zip(expected.items(), state.items(), strict=False))
    fits = all(
        ours.rpartition(".")[2] == theirs.rpartition(".")[2] and value.shape == tensor.shape
        for (ours, value), (theirs, tensor) in pairs
    )
    if not fits or len(expected) != len(state):
        raise PretrainedError(f"The weights of {weights.title} do not fit the template {weights.name}.")
    return {ours: tensor.contiguous() for (ours, _), (_, tensor) in pairs}


def _expected(network: Network) -> dict[str, Tensor]:
    """The network's state dict, with names and shapes but without values."""
    with torch.device("meta"):
        return build_model(network).state_dict()


def _read_converted(weights: PretrainedWeights, network: Network) -> dict[str, Tensor] | None:
    """The weights that were converted before; None if there are none, or if they are damaged."""
    file = converted_file(weights)
    try:
        data = read_regular(file, _MAX_BYTES)
        known = read_json(file.with_suffix(".json"))
    except (OSError, FileError):
        return None
    if not isinstance(known, dict) or known.get("sha256") != hashlib.sha256(data).hexdigest():
        return None
    try:
        found = safetensors.torch.load(data)
    except (SafetensorError, ValueError):
        return None
    # The template may have changed since.
    expected = {name: value.shape for name, value in _expected(network).items()}
    return found if {name: value.shape for name, value in found.items()} == expected else None


def _save_converted(weights: PretrainedWeights, tensors: dict[str, Tensor]) -> None:
    """Writes the weights for the next time. A failure costs only time then, so it is no error."""
    file = converted_file(weights)
    data = safetensors.torch.save(tensors)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, data)
        write_json(
            file.with_suffix(".json"),
            {
                "sha256": hashlib.sha256(data).hexdigest(),
                "source": {"distribution": weights.distribution, "sha256": weights.sha256},
                "notice": weights.notice,
            },
        )
    except (OSError, FileError) as error:
        _log.warning("Cannot keep the converted weights of %s: %s", weights.title, error)
