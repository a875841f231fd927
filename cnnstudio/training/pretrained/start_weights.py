"""Start weights: which layers of a network take theirs from elsewhere, and which start afresh.

They come from a network (pretrained weights, another run) or from a safetensors file, of which only the names
and the tensors are known. A layer takes all its tensors or none. Of a network, layers are matched as after an
edit (`plan_transfer`); of a file, by the names and shapes of their tensors, and what is left over by position
and shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cnnstudio.core.files import read_regular
from cnnstudio.core.formatting import pluralize
from cnnstudio.design.network import Network, Node
from cnnstudio.training.checkpoints.weight_transfer import plan_transfer, tensors_by_layer
from cnnstudio.training.pretrained.catalog import PretrainedError, pretrained
from cnnstudio.training.pretrained.loading import load_pretrained
from cnnstudio.training.pretrained.metadata import (
    MAX_BYTES,
    SUFFIX,
    Normalization,
    metadata_of,
    normalization_in,
    notice_in,
)

_COUNTERS = "num_batches_tracked"
"""BatchNormalization's count of batches, which other programs leave out."""


@dataclass(frozen=True)
class StartWeights:
    """Weights to start from, by their names in the new model; layers that do not fit are missing."""

    source: str
    """A name or a path, as the user knows it."""
    weights: Mapping[str, Tensor]
    kept: tuple[str, ...]
    """Ids of the layers that take their weights from there."""
    by_position: tuple[str, ...]
    """Those of them that were matched by position and shape, because their names are others."""
    fresh: tuple[str, ...]
    """Ids of the layers with weights that start afresh."""
    reasons: Mapping[str, str]
    """Why each of them does, by id."""
    lines: tuple[str, ...]
    """What fits, then what starts afresh, without final periods."""
    notice: str = ""
    """Under which terms the weights are; empty if nobody knows."""
    normalization: Normalization | None = None
    """Mean and standard deviation that the weights expect of images; None for those of the data set."""


def from_pretrained(name: str, network: Network) -> StartWeights:
    """The pretrained weights of that name. Raises PretrainedError if there are none, or if nothing fits."""
    known = pretrained(name)
    old, weights = load_pretrained(name)
    return from_network(
        name, old, weights, network, notice=known.notice, normalization=(known.mean, known.std)
    )


def from_network(
    source: str,
    old: Network,
    weights: Mapping[str, Tensor],
    network: Network,
    *,
    notice: str = "",
    normalization: Normalization | None = None,
) -> StartWeights:
    """The weights of another network, by their names in its model. Raises PretrainedError if nothing fits."""
    transfer = plan_transfer(old, network)
    return _start_weights(
        source,
        network,
        transfer.apply(weights),
        {node.id for node in transfer.kept},
        [(node, reason) for node, reason in transfer.reinitialized],
        set(transfer.by_position),
        notice,
        normalization,
    )


def from_file(path: Path, network: Network) -> StartWeights:
    """The tensors of a safetensors file. Raises PretrainedError for any other file, or if nothing fits."""
    found, metadata = read_tensors(path), metadata_of(path)
    layers = tensors_by_layer(network)
    weights: dict[str, Tensor] = {}
    kept: set[str] = set()
    for node_id, shapes in layers.items():
        own = {name: found[name] for name in shapes if name in found}
        if _fits(own, shapes):
            weights |= own
            kept.add(node_id)
    by_name = set(kept)
    left = _file_layers({name: tensor for name, tensor in found.items() if name not in weights})
    for node_id, shapes in layers.items():
        if node_id in kept:
            continue
        # The first layer of the file that has all tensors of this one and was not taken yet.
        for place, candidate in enumerate(left):
            own = {name: candidate[end] for name in shapes if (end := name.rpartition(".")[2]) in candidate}
            if _fits(own, shapes):
                weights |= own
                kept.add(node_id)
                del left[place]
                break
    reasons = [
        (node, "nothing in the file fits") for node in network.walk() if node.id in layers.keys() - kept
    ]
    return _start_weights(
        str(path),
        network,
        weights,
        kept,
        reasons,
        kept - by_name,
        notice=notice_in(metadata),
        normalization=normalization_in(metadata),
    )


def _file_layers(tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """The tensors of each layer by the last part of their names, in the order of the layers' names.

    The format does not keep the order in which tensors were written. Numbers in names are compared as
    numbers, as programs name layers in their order: `features.2` comes before `features.10`.
    """
    layers: dict[str, dict[str, Tensor]] = {}
    for name in sorted(tensors, key=_natural):
        layer, _, end = name.rpartition(".")
        layers.setdefault(layer, {})[end] = tensors[name]
    return list(layers.values())


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. Raises PretrainedError.

    Only this format is ever opened: files of other formats, such as .pt, .pkl and .h5, can contain programs.
    """
    if path.suffix.lower() != SUFFIX:
        raise PretrainedError(
            f"{path.name}: weights are read from {SUFFIX} files only, because files such as .pt, .pth, .pkl "
            f"and .h5 can contain programs: convert it to {SUFFIX} first."
        )
    try:
        data = read_regular(path, MAX_BYTES)
        found = safetensors.torch.load(data)
    except FileNotFoundError:
        raise PretrainedError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise PretrainedError(f"{path.name}: the file cannot be read ({error.strerror}).") from None
    except (SafetensorError, ValueError, KeyError, OverflowError):
        raise PretrainedError(f"{path.name}: this is not a {SUFFIX} file, or it is damaged.") from None
    # A count of batches, which nothing depends on, is not worth an error if it has another shape.
    found = {name: value for name, value in found.items() if not name.endswith(_COUNTERS)}
    if any(value.is_complex() for value in found.values()):
        raise PretrainedError(f"{path.name}: it holds complex numbers, which no layer has.")
    broken = [
        name
        for name, value in found.items()
        if value.is_floating_point() and not bool(torch.isfinite(value.float()).all())
    ]
    if broken:
        raise PretrainedError(f"{path.name}: it holds values that are NaN or infinite.")
    return found


def _fits(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether these are all tensors of a layer, apart from counters of batches."""
    needed = {name: shape for name, shape in shapes.items() if not name.endswith(_COUNTERS)}
    return bool(needed) and all(
        name in tensors and tuple(tensors[name].shape) == shape for name, shape in needed.items()
    )


def _start_weights(
    source: str,
    network: Network,
    weights: Mapping[str, Tensor],
    kept: set[str],
    fresh: Sequence[tuple[Node, str]],
    by_position: set[str],
    notice: str = "",
    normalization: Normalization | None = None,
) -> StartWeights:
    if not kept:
        raise PretrainedError(f"No layer of {network.name} fits the weights {source}.")
    fresh_ids = {node.id for node, _ in fresh}
    titles = ", ".join(_titles(network.nodes, kept, fresh_ids))
    count = f"{pluralize(len(kept), 'layer')} of {len(kept) + len(fresh):,}"
    lines = [f"Start weights from {source}: {count} ({titles})"]
    numbers = {node.id: number for number, node in enumerate(network.walk(), start=1)}
    rest = (kept | fresh_ids) - by_position
    if by_position:
        how = "all of them" if by_position == kept else ", ".join(_titles(network.nodes, by_position, rest))
        lines.append(f"Matched by position and shape, as their names differ: {how}")
    lines += [f"Starts afresh: {node.title} (layer {numbers[node.id]}): {reason}" for node, reason in fresh]
    if notice:
        lines.append(notice[:1].upper() + notice[1:])
    return StartWeights(
        source,
        dict(weights),
        tuple(each.id for each in network.walk() if each.id in kept),
        tuple(each.id for each in network.walk() if each.id in by_position),
        tuple(each.id for each in network.walk() if each.id in fresh_ids),
        {node.id: reason for node, reason in fresh},
        tuple(lines),
        notice,
        normalization,
    )


def _titles(nodes: Sequence[Node], kept: set[str], fresh: set[str]) -> Iterator[str]:
    """The titles of what fits; a group of which everything fits is named instead of its layers."""
    for node in nodes:
        inside = {each.id for each in node.walk()}
        if not inside & kept:
            continue
        if inside & fresh and node.children:
            yield from _titles(node.children, kept, fresh)
        else:
            yield node.title
