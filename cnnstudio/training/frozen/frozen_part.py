"""Where the locked beginning of a model ends, and the model without it.

The beginning is as long as its output depends on nothing but the image: until the first module that learns,
that draws random numbers during training, or that keeps statistics of the batches.
"""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from cnnstudio.training.frozen.folding import folded
from cnnstudio.training.hardware.torch_state import one_thread
from cnnstudio.training.model import LayerSequence, Model, NamedModule

VERSION = 2
"""Raised with every change to how features are computed, so that older ones are not used."""


def frozen_length(model: Model) -> int:
    """How many of the model's modules, in the order in which they run, belong to the locked beginning.

    0 unless there is a locked layer with weights among them: what costs little is not worth keeping.
    """
    if not model.network.locked_ids:
        return 0
    training = model.training
    if not training:
        model.train()
    try:
        length = 0
        for name in model.run_order:
            if any(map(_changes_in_training, model.get_submodule(name).modules())):
                break
            length += 1
    finally:
        if not training:
            model.eval()
    names = model.run_order[:length]
    has_locked = any(
        name in names and any(True for _ in model.get_submodule(name).parameters())
        for node_id in model.network.locked_ids
        for name in model.modules_by_node.get(node_id, ())
    )
    return length if has_locked else 0


def _changes_in_training(module: nn.Module) -> bool:
    """Whether training changes what this module computes, apart from the modules inside it."""
    if any(weights.requires_grad for weights in module.parameters(recurse=False)):
        return True
    if isinstance(module, _DropoutNd):
        return module.p > 0
    return isinstance(module, _BatchNorm) and module.training


class FrozenPart:
    """The first `length` modules of a model, for images that are not trained on."""

    def __init__(self, model: Model, length: int, *, bfloat16: bool = False) -> None:
        self._device = model.device
        self._bfloat16 = bfloat16
        self._entries = [
            NamedModule("", name, model.get_submodule(name)) for name in model.run_order[:length]
        ]
        self.key = self._key(model)
        """Changes with everything that the output depends on besides the images."""

    @functools.cached_property
    def _module(self) -> nn.Module:
        """Copied only when there is something to compute: what was kept is found by the key alone."""
        module = folded(self._own_modules())
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub lacks it
        return module

    def _own_modules(self) -> LayerSequence:
        """Those of the model itself, in the order in which it runs them: they are not to be moved again."""
        return LayerSequence(self._entries, reorder=False)

    def _key(self, model: Model) -> str:
        digest = hashlib.sha256(repr([VERSION, model.mean, model.std, self._bfloat16]).encode())
        for entry in self._entries:
            digest.update(repr(entry.module).encode())
            digest.update(repr([_settings(each) for each in entry.module.modules()]).encode())
            for name, value in entry.module.state_dict().items():
                if not name.endswith("num_batches_tracked"):
                    digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).data)
        return digest.hexdigest()

    def __call__(self, images: Tensor) -> Tensor:
        """Normalized images, float32 (n, C, H, W) -> what the next module gets, (n, …).

        float32, or bfloat16 where that is what the last layers compute.
        """
        return self._compute(self._module, images)

    def example(self, dims: Sequence[int]) -> Tensor:
        """What it gives for one image of these (C, H, W), whose values do not matter: type and shape do.

        Without the copy, which takes longer than to find both by the model's own modules.
        """
        # A single image, whose small operations threads would only wait for.
        with one_thread(True):
            return self._compute(self._own_modules(), torch.zeros(1, *dims, device=self._device))

    def _compute(self, module: nn.Module, images: Tensor) -> Tensor:
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16),
        ):
            result: Tensor = module(images.contiguous(memory_format=torch.channels_last))
        return result if result.dtype == torch.bfloat16 else result.float()


def _settings(module: nn.Module) -> list[tuple[str, object]]:
    """What the module was made with, which its text need not show, such as the factor of a Scale."""
    return sorted(
        (name, value)
        for name, value in vars(module).items()
        if name != "training" and isinstance(value, bool | int | float | str | tuple)
    )


class RestOfModel(nn.Sequential):
    """The model after its locked beginning; the same modules, so that training and evaluating it are one.

    Takes the output of the beginning, float (n, …); gives logits, float (n, classes). What is done with all
    of its modules leaves those of the beginning alone.
    """

    def __init__(self, model: Model, length: int) -> None:
        names = model.run_order[length:]
        super().__init__(OrderedDict((name, model.get_submodule(name)) for name in names))


class MirroredMean(nn.Module):
    """The rest of a model for features of images beside those of their mirror images."""

    def __init__(self, rest: RestOfModel) -> None:
        super().__init__()
        self.rest = rest

    def forward(self, features: Tensor) -> Tensor:
        """float (n, 2, …) -> the mean of both logits, float (n, classes)."""
        images, mirrored = (
            self.rest(each.contiguous(memory_format=torch.channels_last) if each.ndim == 4 else each)
            for each in features.unbind(1)
        )
        mean: Tensor = (images + mirrored) / 2
        return mean
