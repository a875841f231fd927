"""Optimizations do not change the step: each one is compared with plain torch.

In float64, so that any difference beyond the tolerance is an error and not rounding.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cnnstudio.design.templates import templates
from cnnstudio.training.evaluation import mean_scores
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.optimization import optimizers
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import FAST_GPU, LESSON, STUDIO
from cnnstudio.training.recipe.recipe import OPTIMIZERS, Recipe
from cnnstudio.training.train_step import TrainingStep
from tests.training.images import colors
from tests.training.networks import tiny

NAMES = [each.name for each in templates().values() if each.network.input.dims == (3, 32, 32)]


def forward_backward(model: Model, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the gradient of all weights; dropout draws the same numbers each time."""
    torch.manual_seed(1)
    model.zero_grad()
    logits = model.train()(images)
    logits.logsumexp(1).mean().backward()
    gradients = [weights.grad.flatten() for weights in model.parameters() if weights.grad is not None]
    return logits, torch.cat(gradients)


@pytest.mark.parametrize("name", NAMES)
def test_memory_format_and_order_of_operations_do_not_change_the_result(name: str) -> None:
    network = templates()[name].network
    torch.manual_seed(0)
    unordered = build_model(network, reorder=False)
    fast = build_model(network)
    fast.load_state_dict(unordered.state_dict())
    fast.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks a format alone
    for model in (unordered, fast):
        model.double()
        for module in model.modules():
            # Which pixel gets which random number depends on the memory format.
            if isinstance(module, torch.nn.Dropout | torch.nn.Dropout2d):
                module.p = 0.0
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    logits, gradient = forward_backward(unordered, images)
    fast_logits, fast_gradient = forward_backward(fast, images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(fast_logits, logits, rtol=1e-9, atol=1e-9)
    assert torch.linalg.vector_norm(fast_gradient - gradient) < 1e-9 * torch.linalg.vector_norm(gradient)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fused_steps_equal_those_of_the_plain_optimizer(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(optimizer=optimizer, learning_rate=0.01, weight_decay=0.001)
    torch.manual_seed(0)
    fused = TrainingStep(build_model(tiny()).double(), recipe)
    monkeypatch.setattr(optimizers, "_FUSED", frozenset())
    plain = TrainingStep(copy.deepcopy(fused.model), recipe)
    images, labels = torch.randn(12, 3, 8, 8, dtype=torch.float64), torch.arange(12) % 3
    for training_step in (fused, plain):
        for _ in range(5):
            training_step.backward(images, labels)
            training_step.update()
    for name, value in fused.model.state_dict().items():
        torch.testing.assert_close(value, plain.model.state_dict()[name], rtol=1e-6, atol=1e-9)


def test_large_batches_are_evaluated_like_single_images() -> None:
    prepared = prepare(tiny(), colors(), LESSON, "cpu")
    model = prepared.fresh_model()
    assert prepared.evaluation_batch_size > 1
    large = mean_scores(model, prepared.unshuffled(prepared.test).epoch(0))
    with torch.no_grad():
        batches = prepared.unshuffled(prepared.test).epoch(0)
        pairs = [pair for images, labels in batches for pair in zip(images, labels, strict=True)]
        singles = [(model.eval()(image[None])[0], label) for image, label in pairs]
    assert large is not None
    losses = [torch.nn.functional.cross_entropy(logits, label).item() for logits, label in singles]
    assert large.loss == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    correct = [bool(logits.argmax() == label) for logits, label in singles]
    assert large.accuracy == pytest.approx(sum(correct) / len(correct))


class _Reads(TorchDispatchMode):
    """Counts operations that make the host wait for a GPU: reads of values, and sizes that depend on them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        name = str(function)
        if any(word in name for word in ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero")):
            self.seen.append(name)
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize(
    "recipe",
    [
        *(Recipe(optimizer=name, weight_decay=0.001, clip_norm=1.0) for name in OPTIMIZERS),
        *(STUDIO, FAST_GPU, STUDIO.replace(average_decay=0.99, accumulate=2, precision="bfloat16")),
    ],
    ids=lambda recipe: f"{recipe.name} {recipe.optimizer}",
)
def test_no_step_makes_the_host_wait_for_the_device(recipe: Recipe) -> None:
    training_step = TrainingStep(build_model(tiny()), recipe)
    training_step.start_ema(100)
    images, labels = torch.randn(12, 3, 8, 8), torch.arange(12) % 3
    # The first step also allocates what later ones reuse; every fifth one updates Lookahead.
    for number in range(7):
        with _Reads() as reads:
            training_step.backward(images, labels)
            training_step.update()
        assert number == 0 or not reads.seen
