"""What the layers of a model compute and how their weights would change, collected over a few images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnstudio.data.dataset import Labels, Pixels
from cnnstudio.insight.reading import Array
from cnnstudio.insight.units import count_outside, dead_units, sample_each, sample_step
from cnnstudio.layers.activations import output_bounds
from cnnstudio.layers.base import Group, Role
from cnnstudio.training.evaluation import evaluation_mode
from cnnstudio.training.model import Model

_MAX_SAMPLES = 65_536
"""Values of a layer's weights or gradients that are looked at."""
_MAX_SAMPLES_PER_IMAGE = 2_048
"""Values of a layer's output for one image that are looked at."""

_FLAT_SHARE = 0.01
"""Of an activation's range, at each end, that counts as flat."""
_SATURATED_SHARE = 0.95
"""Of a unit's outputs that have to be in the flat part."""


@dataclass(frozen=True, eq=False)
class _Outputs:
    """Of a layer, for some images."""

    is_dead: Tensor
    """Whether a unit is 0 for all of them, bool (K,)."""
    flat: Tensor
    """How many of a unit's values are at a flat end of the activation function, int64 (K,)."""
    values_per_unit: int
    samples: tuple[Array, ...]

    @classmethod
    def of(cls, output: Tensor, bounds: tuple[float, float] | None) -> _Outputs:
        """`output` is float (n, K, h, w) or (n, K); `bounds` are where the activation function levels off."""
        values = output.flatten(2) if output.ndim > 2 else output[:, :, None]
        flat = torch.zeros(values.shape[1], dtype=torch.int64, device=values.device)
        if bounds is not None:
            low, high = bounds
            margin = _FLAT_SHARE * (high - low)
            flat = count_outside(values, low + margin, high - margin)
        samples: Array = sample_each(values, _MAX_SAMPLES_PER_IMAGE).float().cpu().numpy()
        return cls(dead_units(values), flat, values.shape[0] * values.shape[2], (samples,))

    def plus(self, more: _Outputs) -> _Outputs:
        """For these images and more."""
        return _Outputs(
            self.is_dead & more.is_dead,
            self.flat + more.flat,
            self.values_per_unit + more.values_per_unit,
            self.samples + more.samples,
        )


class LayerStatistics:
    """Of each layer with weights or an activation function; of the last copy in a Repeat."""

    def __init__(self, model: Model, max_layers: int) -> None:
        self._model = model
        self._weights: dict[str, list[Tensor]] = {}
        self._bounds: dict[str, tuple[float, float] | None] = {}
        node_weights = model.node_weights()
        for node in model.network.walk():
            weights = node_weights.get(node.id)
            if weights is None or isinstance(node.layer, Group) or len(self._weights) == max_layers:
                continue
            if weights or node.layer.role is Role.ACTIVATION:
                # Biases and normalizations only if there is nothing else.
                matrices: list[Tensor] = [each for each in weights.values() if each.ndim > 1]
                self._weights[node.id] = matrices or [*weights.values()]
                self._bounds[node.id] = output_bounds(getattr(node.layer, "activation", "linear"))
        self.layers = tuple(self._weights)
        self._gradients: dict[Tensor, Tensor] = {}
        self._newest: dict[str, _Outputs] = {}
        self._outputs: dict[str, _Outputs] = {}

    def add(self, images: Pixels) -> None:
        """Adds what the layers compute for images, uint8 (n, C, H, W)."""
        with evaluation_mode(self._model):
            self._model.observe(self._model.normalize(images), self.observe, set(self.layers))
        self.end_images()

    def observe(self, layer: str, output: Tensor) -> None:
        """A layer's output, float (n, K, h, w) or (n, K); replaces that of another copy for these images."""
        if layer in self._weights:
            self._newest[layer] = _Outputs.of(output.float(), self._bounds[layer])

    def end_images(self) -> None:
        """Called after each pass over images whose outputs were observed."""
        for layer, found in self._newest.items():
            self._outputs[layer] = self._outputs[layer].plus(found) if layer in self._outputs else found
        self._newest.clear()

    def add_gradients(self, images: Pixels, labels: Labels) -> None:
        """Adds the gradients of the summed loss: images uint8 (n, C, H, W), labels int64 (n,)."""
        model = self._model
        weights = [each for found in self._weights.values() for each in found if each.requires_grad]
        if not weights:
            return
        with evaluation_mode(model, gradients=True):
            logits = model(model.normalize(images)).float()
            targets = torch.tensor(labels, device=logits.device)
            loss = F.cross_entropy(logits, targets, reduction="sum")
            found = torch.autograd.grad(loss, weights, allow_unused=True)
        for weight, gradient in zip(weights, found, strict=True):
            if gradient is not None:
                self._gradients[weight] = self._gradients.get(weight, 0) + gradient

    def unit_counts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The units of each layer, the dead and the saturated ones: int64 (layers,) each."""
        found = [self._outputs[layer] for layer in self.layers]
        units = [len(each.is_dead) for each in found]
        dead = [int(each.is_dead.sum()) for each in found]
        saturated = [int((each.flat >= _SATURATED_SHARE * each.values_per_unit).sum()) for each in found]
        return np.array(units, np.int64), np.array(dead, np.int64), np.array(saturated, np.int64)

    def weights(self, layer: str) -> Array:
        """An even sample of the layer's weights, float32 (n,)."""
        return _sample_all([each.detach() for each in self._weights[layer]])

    def activations(self, layer: str) -> Array:
        """An even sample of the layer's outputs, float32 (n,)."""
        return np.concatenate([each.ravel() for each in self._outputs[layer].samples])

    def gradients(self, layer: str) -> Array:
        """An even sample of the gradients of the layer's weights, float32 (n,); the loss is summed."""
        return _sample_all(
            [self._gradients[each] for each in self._weights[layer] if each in self._gradients]
        )


def _sample_all(tensors: list[Tensor]) -> Array:
    if not tensors:
        return np.empty(0, np.float32)
    return np.concatenate([_sample(each.flatten(), _MAX_SAMPLES) for each in tensors])


def _sample(values: Tensor, limit: int) -> Array:
    """Evenly distributed ones of values (n,), at most about `limit`; float32 (samples,)."""
    found: Array = values[:: sample_step(len(values), limit)].float().cpu().contiguous().numpy()
    return found
