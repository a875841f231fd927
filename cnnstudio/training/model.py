"""A network as a torch module. Weights are named by node id, which connects them to the design.

Modules run in a different order than the design's where that is faster: max-pooling before a monotonic
activation that precedes it in the design. The maximum stays the maximum under a non-decreasing function, so
the result is the same, and after a 2 × 2 pooling the activation has a quarter of the work.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnstudio.data.batches import normalize
from cnnstudio.design.edits import set_trainable
from cnnstudio.design.network import Network, Node, without_final_softmax
from cnnstudio.layers.base import Group, Shape
from cnnstudio.layers.initializers import DataDependentInit

# Non-decreasing everywhere. GELU and SiLU fall before they rise, and softmax is not elementwise.
_MONOTONIC = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Sigmoid, nn.Tanh)


class NamedModule(NamedTuple):
    node_id: str
    name: str
    module: nn.Module


class LayerSequence(nn.Sequential):
    """Modules in sequence: in `run_order`, or in `design_order` while `use_design_order`. Both give the same.

    `modules_by_node` maps each node id to the names of its modules, `output_modules` to that of the last one,
    which computes the node's output.
    """

    def __init__(self, named_modules: Sequence[NamedModule], *, reorder: bool) -> None:
        super().__init__(OrderedDict((entry.name, entry.module) for entry in named_modules))
        self.design_order = tuple(entry.name for entry in named_modules)
        self.run_order = _pooling_first(named_modules) if reorder else self.design_order
        self.output_modules = {entry.node_id: entry.name for entry in named_modules}
        self.modules_by_node: dict[str, list[str]] = {}
        for entry in named_modules:
            self.modules_by_node.setdefault(entry.node_id, []).append(entry.name)
        self.use_design_order = False

    def forward(self, x: Tensor) -> Tensor:
        """float (N, …), the input shape of the first layer -> float (N, …), the output shape of the last."""
        modules = self._modules
        for name in self.design_order if self.use_design_order else self.run_order:
            x = modules[name](x)
        return x


class _InputReached(Exception):
    """Ends a forward pass at the module whose input is wanted."""

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.inputs = inputs


class Model(LayerSequence):
    """A network with weights. Takes normalized images (N, C, H, W), float32; gives logits (N, classes).

    `mean` and `std`, one number per channel for pixel values from 0 to 1, are those of the training images.
    """

    def __init__(self, network: Network, named_modules: Sequence[NamedModule], *, reorder: bool) -> None:
        super().__init__(named_modules, reorder=reorder)
        self.network = network
        self.mean: tuple[float, ...] = (0.0,) * network.input.channels
        self.std: tuple[float, ...] = (1.0,) * network.input.channels
        self.kept_statistics: tuple[str, ...] = ()
        """The names of batch normalizations that keep their statistics although they are not locked."""

    def train(self, mode: bool = True) -> Model:
        """Training mode, or evaluation mode; some batch normalizations keep their statistics in both.

        These are the locked ones and the `kept_statistics`.
        """
        super().train(mode)
        if mode:
            for name in self.kept_statistics:
                self.get_submodule(name).eval()
        if mode and self.network.locked_ids:
            for sequence in _layer_sequences(self):
                for node_id in self.network.locked_ids.intersection(sequence.modules_by_node):
                    for name in sequence.modules_by_node[node_id]:
                        _keep_statistics(sequence.get_submodule(name))
        return self

    def keep_statistics(self, names: Collection[str]) -> None:
        """Lets the batch normalizations that have one of these names normalize by what they know.

        During training too, where their scale and shift still learn. Other names are ignored.
        """
        self.kept_statistics = tuple(
            name for name, module in self.named_modules() if name in names and isinstance(module, _BatchNorm)
        )
        self.train(self.training)

    def last_locked(self, count: int) -> list[Node]:
        """The last `count` locked nodes with weights, from top to bottom; 0: all. A locked group is one."""
        with_weights = {
            node_id
            for sequence in _layer_sequences(self)
            for node_id, names in sequence.modules_by_node.items()
            if any(True for name in names for _ in sequence.get_submodule(name).parameters())
        }
        return [node for node in _outermost_locked(self.network.nodes) if node.id in with_weights][-count:]

    def unlock(self, ids: Collection[str]) -> None:
        """Lets the weights of these nodes, and of what is inside them, learn; they stay as they are."""
        network = set_trainable(self.network, ids, True)
        # Layers know themselves which of their weights never learn. No random number is drawn for that.
        with torch.random.fork_rng(devices=()), torch.device("meta"):
            learns = {name: each.requires_grad for name, each in build_model(network).named_parameters()}
        for name, each in self.named_parameters():
            each.requires_grad_(learns[name])
        self.network = network
        self.train(self.training)

    @property
    def device(self) -> torch.device:
        """The device of the weights; the CPU for a model without any."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    def set_normalization(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Sets what `normalize` uses: one number per channel, for pixel values from 0 to 1."""
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))

    def normalize(self, images: np.ndarray) -> Tensor:
        """Images, uint8 (N, C, H, W), as this model's input: float32 of the same shape, on its device."""
        pixels = torch.tensor(images, device=self.device)
        return normalize(pixels, torch.tensor(self.mean), torch.tensor(self.std))

    def initialize_from_images(self, batches: Callable[[], Iterable[Tensor]]) -> bool:
        """Data-dependent initialization, such as Whitening's, by the values that reach each of these layers.

        From top to bottom, because each sees the images through the layers above it. `batches` gives
        normalized training images, float32 (N, C, H, W), the same on each call. Returns whether there are
        such layers.
        """
        found = [module for module in self.modules() if isinstance(module, DataDependentInit)]
        if not found:
            return False
        training = self.training
        try:
            self.eval()
            for module in found:
                module.initialize_from(self._input_of(module, images) for images in batches())
        finally:
            self.train(training)
        return True

    def _input_of(self, module: nn.Module, images: Tensor) -> Tensor:
        """The input of the module for `images`; the modules after it are not computed."""

        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            raise _InputReached(inputs[0])

        handle = module.register_forward_pre_hook(hook)
        try:
            with torch.no_grad():
                self(images)
        except _InputReached as reached:
            return reached.inputs
        finally:
            handle.remove()
        raise AssertionError("every module of the network takes part in a forward pass")

    def node_weights(self) -> dict[str, dict[str, nn.Parameter]]:
        """The weights of each enabled node, by their names in the state dict; of the last copy in a Repeat.

        Those of a group include the layers inside.
        """
        found: dict[str, dict[str, nn.Parameter]] = {}
        for prefix, sequence in self.named_modules():
            if isinstance(sequence, LayerSequence):
                for node_id, names in sequence.modules_by_node.items():
                    paths = {f"{prefix}.{name}" if prefix else name: name for name in names}
                    found[node_id] = {
                        f"{path}.{weight}": parameter
                        for path, name in paths.items()
                        for weight, parameter in sequence.get_submodule(name).named_parameters()
                    }
        return found

    def activations(self, images: Tensor, node_ids: Collection[str] | None = None) -> dict[str, Tensor]:
        """The output of each enabled node for normalized `images`; of the last copy in a Repeat.

        `images` is float32 (N, C, H, W). The outputs are float (N, K, h, w), or (N, K) of flat layers.

        The model runs in the design's order: in the other one a layer's output would not be what the design
        shows. Training mode and gradients are up to the caller. Unknown and disabled ids are left out.
        """
        found: dict[str, Tensor] = {}
        self.observe(images, found.__setitem__, node_ids)
        return found

    def observe(
        self, images: Tensor, callback: Callable[[str, Tensor], None], node_ids: Collection[str] | None = None
    ) -> None:
        """Calls `callback` with each node's id and output, once per copy in a Repeat; keeps none of them.

        `images` is float32 (N, C, H, W), normalized; outputs are float (N, K, h, w) or (N, K), not detached.
        """

        def hook(node_id: str) -> Callable[[nn.Module, Any, Tensor], None]:
            return lambda module, inputs, output: callback(node_id, output)

        handles = [
            sequence.get_submodule(name).register_forward_hook(hook(node_id))
            for sequence in _layer_sequences(self)
            for node_id, name in sequence.output_modules.items()
            if node_ids is None or node_id in node_ids
        ]
        try:
            with _in_design_order(self):
                self(images)
        finally:
            for handle in handles:
                handle.remove()


def build_model(network: Network, *, reorder: bool = True) -> Model:
    """The network with initial weights. It must not have problems (`design.analysis`).

    Left out are disabled nodes, groups in which nothing is enabled, and a softmax at the very end: the model
    gives logits. `reorder=False` runs the modules in the design's order. Weights of locked nodes have
    `requires_grad` False, and their batch normalizations stay in evaluation mode.
    """
    named_modules, _ = _build(without_final_softmax(network.nodes), network.input, reorder)
    return Model(network, named_modules, reorder=reorder).train()


def _build(nodes: Iterable[Node], shape: Shape, reorder: bool) -> tuple[list[NamedModule], Shape]:
    """The modules of a list of nodes for inputs of `shape`, and the output shape."""
    named_modules: list[NamedModule] = []
    for node in nodes:
        if not node.is_active:
            continue
        first, layer = len(named_modules), node.layer
        if isinstance(layer, Group):
            make = _build_branches if layer.has_branches else _build_body
            bodies, inside = make(node, layer, shape, reorder)
            named_modules.append(NamedModule(node.id, node.id, layer.build_group(shape, inside, bodies)))
            shape = layer.group_output_shape(shape, inside)
        else:
            for suffix, module in layer.build(shape):
                named_modules.append(
                    NamedModule(node.id, f"{node.id}_{suffix}" if suffix else node.id, module)
                )
            shape = layer.output_shape(shape)
        if not node.trainable:
            for entry in named_modules[first:]:
                entry.module.requires_grad_(False)
    return named_modules, shape


_Inside = tuple[list[nn.Module], list[Shape]]
"""A group's body or its branches, and their output shapes."""


def _build_branches(node: Node, group: Group, shape: Shape, reorder: bool) -> _Inside:
    built = [_build([child], shape, reorder) for child in node.children if child.is_active]
    return [LayerSequence(named_modules, reorder=reorder) for named_modules, _ in built], [
        output for _, output in built
    ]


def _build_body(node: Node, group: Group, shape: Shape, reorder: bool) -> _Inside:
    copies: list[nn.Module] = []
    for _ in range(group.copies()):
        named_modules, shape = _build(node.children, shape, reorder)
        copies.append(LayerSequence(named_modules, reorder=reorder))
    return [copies[0] if len(copies) == 1 else nn.Sequential(*copies)], [shape]


def _pooling_first(named_modules: Iterable[NamedModule]) -> tuple[str, ...]:
    """The names, with each max-pooling moved before the monotonic activations that precede it."""
    order: list[NamedModule] = []
    for entry in named_modules:
        place = len(order)
        if isinstance(entry.module, nn.MaxPool2d):
            while place and isinstance(order[place - 1].module, _MONOTONIC):
                place -= 1
        order.insert(place, entry)
    return tuple(entry.name for entry in order)


def _keep_statistics(module: nn.Module) -> None:
    """Puts the batch normalizations in the module into evaluation mode, in which they update nothing."""
    for each in module.modules():
        if isinstance(each, _BatchNorm):
            each.eval()


def _outermost_locked(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        if not node.trainable:
            yield node
        else:
            yield from _outermost_locked(node.children)


def _layer_sequences(model: nn.Module) -> list[LayerSequence]:
    return [module for module in model.modules() if isinstance(module, LayerSequence)]


@contextmanager
def _in_design_order(model: nn.Module) -> Iterator[None]:
    sequences = _layer_sequences(model)
    try:
        for sequence in sequences:
            sequence.use_design_order = True
        yield
    finally:
        for sequence in sequences:
            sequence.use_design_order = False
