"""Keras layers in numpy, images (N, height, width, channels): independent of the program and of torch.

A network of a listing is written with a `Keras`, whose methods draw weights in the order of the listing's
layers. `copy_into` gives the same weights to the program's model of the imported design.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

Array = np.ndarray


class Keras:
    """Applies layers to images, and remembers the weights that it drew."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._weights: list[dict[str, Any]] = []

    def draw(self, *shape: int) -> Array:
        return self._random.normal(0.0, 0.3, shape)

    def conv(self, x: Array, filters: int, size: int | tuple[int, int], *, strides: int = 1,
             padding: str = "valid", bias: bool = True) -> Array:  # fmt: skip  # two lines are easier to read
        height, width = (size, size) if isinstance(size, int) else size
        kernel = self.draw(height, width, x.shape[3], filters)
        offset = self.draw(filters) if bias else np.zeros(filters)
        self._weights.append({"kind": nn.Conv2d, "weight": kernel.transpose(3, 2, 0, 1), "bias": offset})
        return slide(x, kernel, strides, padding) + offset

    def depthwise(self, x: Array, size: int, *, padding: str = "valid") -> Array:
        kernel = self.draw(size, size, x.shape[3], 1)
        self._weights.append({"kind": nn.Conv2d, "weight": kernel.transpose(2, 3, 0, 1), "bias": None})
        channels = range(x.shape[3])
        parts = [slide(x[..., k : k + 1], kernel[:, :, k : k + 1], 1, padding) for k in channels]
        return np.concatenate(parts, axis=3)

    def dense(self, x: Array, units: int, *, of_image: tuple[int, int, int] | None = None) -> Array:
        """`of_image`: the (height, width, channels) that was flattened, last axis fastest."""
        kernel, offset = self.draw(x.shape[1], units), self.draw(units)
        weight = kernel.T
        if of_image is not None:
            # The program flattens channels first.
            weight = weight.reshape(units, *of_image).transpose(0, 3, 1, 2).reshape(units, -1)
        self._weights.append({"kind": nn.Linear, "weight": weight, "bias": offset})
        return x @ kernel + offset

    def batch_norm(self, x: Array) -> Array:
        channels = x.shape[-1]
        scale, offset, mean = self.draw(channels), self.draw(channels), self.draw(channels)
        variance = self._random.uniform(0.5, 1.5, channels)
        self._weights.append(
            {"kind": nn.BatchNorm2d, "weight": scale, "bias": offset, "mean": mean, "variance": variance}
        )
        return (x - mean) / np.sqrt(variance + 1e-3) * scale + offset

    def copy_into(self, model: nn.Module) -> None:
        """Sets all weights of the model to those drawn here; the layers are the same, in this order."""
        kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.BatchNorm1d)
        modules = [module for module in model.modules() if isinstance(module, kinds)]
        assert len(modules) == len(self._weights)
        for module, weights in zip(modules, self._weights, strict=True):
            assert isinstance(module, weights["kind"])
            assert module.weight.shape == weights["weight"].shape
            with torch.no_grad():
                module.weight.copy_(torch.tensor(weights["weight"]))
                if module.bias is not None:
                    module.bias.copy_(torch.tensor(weights["bias"]))
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.copy_(torch.tensor(weights["mean"]))  # type: ignore[union-attr]  # always has one here
                    module.running_var.copy_(torch.tensor(weights["variance"]))  # type: ignore[union-attr]  # as above


def slide(x: Array, kernel: Array, strides: int, padding: str) -> Array:
    """A convolution, without bias: kernel (height, width, in, out)."""
    x = pad(x, kernel.shape[:2], strides, padding, 0.0)
    rows = [np.tensordot(window, kernel, axes=3) for window in windows(x, kernel.shape[:2], strides)]
    return arrange(rows, x, kernel.shape[:2], strides)


def max_pool(x: Array, size: int = 2, *, strides: int | None = None, padding: str = "valid") -> Array:
    x = pad(x, (size, size), strides or size, padding, -np.inf)
    rows = [window.max(axis=(1, 2)) for window in windows(x, (size, size), strides or size)]
    return arrange(rows, x, (size, size), strides or size)


def average_pool(x: Array, size: int = 2) -> Array:
    rows = [window.mean(axis=(1, 2)) for window in windows(x, (size, size), size)]
    return arrange(rows, x, (size, size), size)


def pad(x: Array, size: tuple[int, ...], strides: int, padding: str, value: float) -> Array:
    if padding == "valid":
        return x
    around = []
    for length, extent in zip(x.shape[1:3], size, strict=True):
        total = max((-(-length // strides) - 1) * strides + extent - length, 0)
        around.append((total // 2, total - total // 2))
    return np.pad(x, ((0, 0), *around, (0, 0)), constant_values=value)


def windows(x: Array, size: tuple[int, ...], strides: int) -> Iterator[Array]:
    for top in range(0, x.shape[1] - size[0] + 1, strides):
        for left in range(0, x.shape[2] - size[1] + 1, strides):
            yield x[:, top : top + size[0], left : left + size[1]]


def arrange(values: list[Array], x: Array, size: tuple[int, ...], strides: int) -> Array:
    height, width = ((length - extent) // strides + 1 for length, extent in zip(x.shape[1:3], size))  # noqa: B905
    return np.stack(values, axis=1).reshape(len(x), height, width, -1)


def relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def flatten(x: Array) -> Array:
    return x.reshape(len(x), -1)


def global_average(x: Array) -> Array:
    return x.mean(axis=(1, 2))
