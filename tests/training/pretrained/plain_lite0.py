"""EfficientNet-Lite0 in plain torch, straight from its state dict: an independent reading of the weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)


def scores(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """The logits (n, 1000) of normalized images (n, 3, H, W)."""
    x = F.relu6(_norm(state, "_bn0", _convolve(images, state["_conv_stem.weight"], 2)))
    for index, stride in enumerate(_STRIDES):
        block, y = f"_blocks.{index}.", x
        if f"{block}_expand_conv.weight" in state:
            y = F.relu6(_norm(state, f"{block}_bn0", _convolve(y, state[f"{block}_expand_conv.weight"], 1)))
        depthwise = state[f"{block}_depthwise_conv.weight"]
        y = F.relu6(_norm(state, f"{block}_bn1", _convolve(y, depthwise, stride, groups=y.shape[1])))
        y = _norm(state, f"{block}_bn2", _convolve(y, state[f"{block}_project_conv.weight"], 1))
        x = x + y if stride == 1 and x.shape == y.shape else y
    features = F.relu6(_norm(state, "_bn1", _convolve(x, state["_conv_head.weight"], 1))).mean((2, 3))
    return features @ state["_fc.weight"].T + state["_fc.bias"]


def _convolve(x: Tensor, weight: Tensor, stride: int, groups: int = 1) -> Tensor:
    """With TensorFlow's "same" padding, which puts the odd pixel at the right and at the bottom."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + weight.shape[-1] - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def _norm(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    statistics = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    factors = state[f"{name}.weight"], state[f"{name}.bias"]
    return torch.batch_norm(x, *factors, *statistics, False, 0.0, 1e-3, False)
