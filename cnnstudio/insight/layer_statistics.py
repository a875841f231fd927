"""What the layers of a model compute and how their weights would change, collected over a few images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnstudio.data.dataset import Labels, Pixels
from cnnstudio.insight.reading import Array
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


class LayerStatistics:
    """Of each layer with weights or an activation function; of the last copy in a Repeat."""

    def __init__(self, model: Model, max_layers: int, *, with_gradients: bool) -> None:
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
        trained = [each for found in self._weights.values() for each in found if each.requires_grad]
        self._gradients: dict[Tensor, Tensor] = {}
        if with_gradients:
            self._gradients = {each: torch.zeros_like(each) for each in trained}
        self._outputs: dict[str, list[Array]] = {layer: [] for layer in self.layers}
        # Of each unit: whether it was 0 so far, and how many of its values were in the flat part.
        self._is_dead: dict[str, Tensor] = {}
        self._flat: dict[str, Tensor] = {}
        self._values_per_unit: dict[str, int] = dict.fromkeys(self.layers, 0)

    def add(self, images: Pixels, labels: Labels | None) -> None:
        """Adds images, uint8 (n, C, H, W), and for gradients their labels, int64 (n,)."""
        model = self._model
        with evaluation_mode(model):
            pixels = model.normalize(images)
            for layer, output in model.activations(pixels, set(self.layers)).items():
                self._add_output(layer, output.float())
        if self._gradients and labels is not None:
            self._add_gradients(images, labels)

    def _add_output(self, layer: str, output: Tensor) -> None:
        """One layer's output, float (n, K, h, w) or (n, K)."""
        values = output.flatten(2) if output.ndim > 2 else output[:, :, None]
        is_dead = (values == 0).all(2).all(0)
        self._is_dead[layer] = self._is_dead[layer] & is_dead if layer in self._is_dead else is_dead
        self._values_per_unit[layer] += values.shape[0] * values.shape[2]
        bounds = self._bounds[layer]
        if bounds is not None:
            low, high = bounds
            margin = _FLAT_SHARE * (high - low)
            flat = ((values < low + margin) | (values > high - margin)).sum(2).sum(0)
            self._flat[layer] = self._flat[layer] + flat if layer in self._flat else flat
        self._outputs[layer].append(_sample(values.flatten(1), _MAX_SAMPLES_PER_IMAGE))

    def _add_gradients(self, images: Pixels, labels: Labels) -> None:
        model = self._model
        was_training = model.training
        model.eval()
        try:
            with torch.enable_grad():
                logits = model(model.normalize(images)).float()
                targets = torch.tensor(labels, device=logits.device)
                loss = F.cross_entropy(logits, targets, reduction="sum")
            found = torch.autograd.grad(loss, list(self._gradients), allow_unused=True)
        finally:
            model.train(was_training)
        for total, gradient in zip(self._gradients.values(), found, strict=True):
            if gradient is not None:
                total += gradient

    def unit_counts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The units of each layer, the dead and the saturated ones: int64 (layers,) each."""
        units = [len(self._is_dead[layer]) for layer in self.layers]
        dead = [int(self._is_dead[layer].sum()) for layer in self.layers]
        saturated = [
            int((self._flat[layer] >= _SATURATED_SHARE * self._values_per_unit[layer]).sum())
            if layer in self._flat
            else 0
            for layer in self.layers
        ]
        return np.array(units, np.int64), np.array(dead, np.int64), np.array(saturated, np.int64)

    def weights(self, layer: str) -> Array:
        """An even sample of the layer's weights, float32 (n,)."""
        return _sample_all([each.detach() for each in self._weights[layer]])

    def activations(self, layer: str) -> Array:
        """An even sample of the layer's outputs, float32 (n,)."""
        found = self._outputs[layer]
        return np.concatenate([each.ravel() for each in found]) if found else np.empty(0, np.float32)

    def gradients(self, layer: str) -> Array:
        """An even sample of the gradients of the layer's weights, float32 (n,); the loss is summed."""
        return _sample_all(
            [self._gradients[each] for each in self._weights[layer] if each in self._gradients]
        )


def _sample_all(tensors: list[Tensor]) -> Array:
    if not tensors:
        return np.empty(0, np.float32)
    return np.concatenate([_sample(each.flatten()[None], _MAX_SAMPLES)[0] for each in tensors])


def _sample(rows: Tensor, limit: int) -> Array:
    """Evenly distributed values of each row of (n, values), at most about `limit`; float32 (n, samples)."""
    step = -(-rows.shape[1] // limit)
    # An odd step does not stay in the same columns of an image, whose sides are mostly even.
    step += step > 1 and step % 2 == 0
    found: Array = rows[:, ::step].float().cpu().contiguous().numpy()
    return found
