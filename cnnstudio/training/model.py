"""The network as a torch module. Weights are named by the node's id, so they find back to the drawing.

Max-pooling is run before a monotonic activation that it follows in the drawing: the largest value is the
largest before and after a function that never falls, so the result is the same, and the activation then has a
quarter of the work.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cnnstudio.data.batches import normalize
from cnnstudio.design.network import Network, Node, giving_logits
from cnnstudio.layers.base import Group, Shape
from cnnstudio.layers.initializers import TakesImages

# Non-decreasing everywhere. GELU and SiLU fall before they rise, and softmax does not look at one value
# alone.
_MONOTONIC = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Sigmoid, nn.Tanh)


class _Piece(NamedTuple):
    node_id: str
    name: str
    module: nn.Module


class Chain(nn.Sequential):
    """Pieces one after the other: in `order`, which gives the same result faster, or as drawn while `plain`.

    `ends` names the piece that gives each node's output.
    """

    def __init__(self, pieces: Sequence[_Piece], *, reorder: bool) -> None:
        super().__init__(OrderedDict((piece.name, piece.module) for piece in pieces))
        self.drawn = tuple(piece.name for piece in pieces)
        self.order = _pooling_first(pieces) if reorder else self.drawn
        self.ends = {piece.node_id: piece.name for piece in pieces}
        self.plain = False

    def forward(self, x: Tensor) -> Tensor:
        modules = self._modules
        for name in self.drawn if self.plain else self.order:
            x = modules[name](x)
        return x


class _Reached(Exception):
    """The forward pass has come to the layer that is looked for."""

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.inputs = inputs


class Model(Chain):
    """A network with weights: images (N, C, H, W), normalized, in; logits (N, classes) out.

    `mean` and `std`, a number a channel for pixels from 0 to 1, are what the weights were or will be trained
    with.
    """

    def __init__(self, network: Network, pieces: Sequence[_Piece], *, reorder: bool) -> None:
        super().__init__(pieces, reorder=reorder)
        self.network = network
        self.mean: tuple[float, ...] = (0.0,) * network.input.channels
        self.std: tuple[float, ...] = (1.0,) * network.input.channels

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU for a model without any."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    def set_normalization(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """What `normalize` uses from now on."""
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))

    def normalize(self, images: np.ndarray) -> Tensor:
        """Images, uint8 (N, C, H, W), as this model takes them, on its device."""
        pixels = torch.tensor(images, device=self.device)
        return normalize(pixels, torch.tensor(self.mean), torch.tensor(self.std))

    def prepare_weights(self, batches: Callable[[], Iterable[Tensor]]) -> None:
        """Sets the weights that are taken from images, as Whitening's are, by what reaches them.

        From top to bottom. `batches` gives normalized training images, the same on each call.
        """
        training = self.training
        try:
            self.eval()
            for module in self.modules():
                if isinstance(module, TakesImages):
                    module.take_images(self._input_of(module, images) for images in batches())
        finally:
            self.train(training)

    def _input_of(self, module: nn.Module, images: Tensor) -> Tensor:
        """What reaches the module; what comes after it is not worked out."""

        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            raise _Reached(inputs[0])

        handle = module.register_forward_pre_hook(hook)
        try:
            with torch.no_grad():
                self(images)
        except _Reached as reached:
            return reached.inputs
        finally:
            handle.remove()
        raise AssertionError("each module of the network takes part in a forward pass")

    def activations(self, images: Tensor, node_ids: Collection[str] | None = None) -> dict[str, Tensor]:
        """What each enabled node gives for normalized `images`, always as drawn; in a Repeat the last copy.

        The modes (training or evaluation, gradients or none) are the caller's. Unknown and disabled ids are
        left out.
        """
        found: dict[str, Tensor] = {}
        self.observe(images, found.__setitem__, node_ids)
        return found

    def observe(
        self, images: Tensor, see: Callable[[str, Tensor], None], node_ids: Collection[str] | None = None
    ) -> None:
        """Calls `see` with each node's id and output, so that none need be kept; in a Repeat once a copy."""

        def hook(node_id: str) -> Callable[[nn.Module, Any, Tensor], None]:
            return lambda module, inputs, output: see(node_id, output)

        handles = [
            chain.get_submodule(name).register_forward_hook(hook(node_id))
            for chain in _chains(self)
            for node_id, name in chain.ends.items()
            if node_ids is None or node_id in node_ids
        ]
        try:
            with _as_drawn(self):
                self(images)
        finally:
            for handle in handles:
                handle.remove()


def build_model(network: Network, *, reorder: bool = True) -> Model:
    """The network with fresh weights. It has to be free of problems (`design.analysis`).

    Disabled nodes, and groups in which nothing is enabled, are left out. A softmax at the very end is left
    out too: the model gives logits. `reorder=False` runs the pieces as drawn.
    """
    pieces, _ = _build(giving_logits(network.nodes), network.input, reorder)
    return Model(network, pieces, reorder=reorder)


def _build(nodes: Iterable[Node], shape: Shape, reorder: bool) -> tuple[list[_Piece], Shape]:
    """The pieces of a list of nodes for inputs of `shape`, and the shape that comes out."""
    pieces: list[_Piece] = []
    for node in nodes:
        if not node.is_active:
            continue
        layer = node.layer
        if isinstance(layer, Group):
            make = _build_branches if layer.branches else _build_body
            bodies, inside = make(node, layer, shape, reorder)
            pieces.append(_Piece(node.id, node.id, layer.build_group(shape, inside, bodies)))
            shape = layer.join(shape, inside)
        else:
            for suffix, module in layer.build(shape):
                pieces.append(_Piece(node.id, f"{node.id}_{suffix}" if suffix else node.id, module))
            shape = layer.output_shape(shape)
    return pieces, shape


_Inside = tuple[list[nn.Module], list[Shape]]
"""A group's body or its branches, and the shapes that they give."""


def _build_branches(node: Node, group: Group, shape: Shape, reorder: bool) -> _Inside:
    built = [_build([child], shape, reorder) for child in node.children if child.is_active]
    return [Chain(pieces, reorder=reorder) for pieces, _ in built], [output for _, output in built]


def _build_body(node: Node, group: Group, shape: Shape, reorder: bool) -> _Inside:
    copies: list[nn.Module] = []
    for _ in range(group.copies()):
        pieces, shape = _build(node.children, shape, reorder)
        copies.append(Chain(pieces, reorder=reorder))
    return [copies[0] if len(copies) == 1 else nn.Sequential(*copies)], [shape]


def _pooling_first(pieces: Iterable[_Piece]) -> tuple[str, ...]:
    """The names, each max-pooling before the monotonic activations that it followed."""
    order: list[_Piece] = []
    for piece in pieces:
        place = len(order)
        if isinstance(piece.module, nn.MaxPool2d):
            while place and isinstance(order[place - 1].module, _MONOTONIC):
                place -= 1
        order.insert(place, piece)
    return tuple(piece.name for piece in order)


def _chains(model: nn.Module) -> list[Chain]:
    return [module for module in model.modules() if isinstance(module, Chain)]


@contextmanager
def _as_drawn(model: nn.Module) -> Iterator[None]:
    chains = _chains(model)
    try:
        for chain in chains:
            chain.plain = True
        yield
    finally:
        for chain in chains:
            chain.plain = False
