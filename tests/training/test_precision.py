"""Mixed precision (bfloat16) trains like float32."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cnnstudio.design.templates import templates
from cnnstudio.training.evaluation import mean_scores
from cnnstudio.training.events import EpochEnded, Event, Scores
from cnnstudio.training.hardware.device import fastest_precision
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON, STUDIO
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.networks import tiny

NAMES = [each.name for each in templates().values() if each.network.input.dims == (3, 32, 32)]


def step(name: str, precision: str) -> tuple[float, Tensor, set[torch.dtype]]:
    """Loss and gradient of one step without dropout, and the dtypes of weights and gradients."""
    torch.manual_seed(0)
    model = build_model(templates()[name].network)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    training_step = TrainingStep(model, STUDIO.replace(precision=precision))
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8) % 10
    loss, _ = training_step.backward(images, labels)
    gradients = [weights.grad.flatten() for weights in model.parameters() if weights.grad is not None]
    dtypes = {
        value.dtype for value in [*model.state_dict().values(), *gradients] if value.is_floating_point()
    }
    return loss.item(), torch.cat(gradients), dtypes


@pytest.mark.parametrize("name", NAMES)
def test_a_bfloat16_step_has_nearly_the_gradient_of_a_float32_step(name: str) -> None:
    loss, gradient, _ = step(name, "float32")
    bfloat16_loss, bfloat16_gradient, dtypes = step(name, "bfloat16")
    assert not torch.equal(bfloat16_gradient, gradient)
    # Eight bits of precision are 0.4%, and errors add up over tens of layers.
    assert bfloat16_loss == pytest.approx(loss, rel=0.03)
    assert torch.cosine_similarity(bfloat16_gradient, gradient, dim=0) > 0.9
    assert dtypes == {torch.float32}


def test_a_bfloat16_run_learns_and_is_evaluated_in_float32() -> None:
    recipe = LESSON.replace(epochs=3, learning_rate=0.01, precision="bfloat16")
    prepared = prepare(tiny(), colors(), recipe, "cpu")
    events: list[Event] = []
    scores: list[Scores | None] = []

    def record_epoch(epoch: int, model: Model) -> None:
        scores.append(mean_scores(model, prepared.unshuffled(prepared.validation).epoch(0)))

    finished = train_prepared(prepared, emit=events.append, after_epoch=record_epoch)
    ended = [event.validation for event in events if isinstance(event, EpochEnded)]
    assert finished.outcome == "completed"
    assert ended[-1].accuracy > 0.8
    assert scores[1:] == ended


def test_recipes_without_a_precision_use_float32() -> None:
    content = LESSON.to_json()
    del content["precision"]
    assert Recipe.from_json(content).precision == "float32"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_auto_is_the_fastest_precision_of_the_device(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the matrix units, the instructions for bfloat16 are no faster.
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: precision == "bfloat16")
    prepared = prepare(tiny(), colors(), LESSON.replace(precision="auto"), "cpu")
    # As the run stores it, so that it resumes in the same way on another machine.
    assert prepared.recipe == LESSON.replace(precision=precision)
    assert fastest_precision(torch.device("mps")) == "float32"
