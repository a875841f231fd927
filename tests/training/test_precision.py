"""Steps in half the digits lead where steps in all of them do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cnnstudio.design.templates import templates
from cnnstudio.training.evaluation import mean_scores
from cnnstudio.training.events import EpochEnded, Event, Scores
from cnnstudio.training.hardware.device import quick_precision
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.recipe import LESSON, STUDIO, Recipe
from cnnstudio.training.train_step import Learner
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.networks import tiny

NAMES = [each.name for each in templates().values() if each.network.input.dims == (3, 32, 32)]


def step(name: str, precision: str) -> tuple[float, Tensor, set[torch.dtype]]:
    """Loss and gradient of one step without dropout, and the kinds of numbers that the model keeps."""
    torch.manual_seed(0)
    model = build_model(templates()[name].network)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    learner = Learner(model, STUDIO.replace(precision=precision))
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8) % 10
    loss, _ = learner.backward(images, labels)
    gradients = [weights.grad.flatten() for weights in model.parameters() if weights.grad is not None]
    kinds = {value.dtype for value in [*model.state_dict().values(), *gradients] if value.is_floating_point()}
    return loss.item(), torch.cat(gradients), kinds


@pytest.mark.parametrize("name", NAMES)
def test_a_step_in_bfloat16_goes_the_way_of_one_in_float32(name: str) -> None:
    loss, gradient, _ = step(name, "float32")
    short_loss, short_gradient, kinds = step(name, "bfloat16")
    assert not torch.equal(short_gradient, gradient)
    # Eight bits of each number are 0.4%; over tens of layers some of it adds up.
    assert short_loss == pytest.approx(loss, rel=0.03)
    assert torch.cosine_similarity(short_gradient, gradient, dim=0) > 0.9
    assert kinds == {torch.float32}


def test_a_run_in_bfloat16_learns_and_is_judged_in_float32() -> None:
    recipe = LESSON.replace(epochs=3, learning_rate=0.01, precision="bfloat16")
    prepared = prepare(tiny(), colors(), recipe, "cpu")
    said: list[Event] = []
    judged: list[Scores | None] = []

    def judge(epoch: int, model: Model) -> None:
        judged.append(mean_scores(model, prepared.unshuffled(prepared.validation).epoch(0)))

    finished = train_prepared(prepared, emit=said.append, after_epoch=judge)
    ended = [event.validation for event in said if isinstance(event, EpochEnded)]
    assert finished.outcome == "completed"
    assert ended[-1].accuracy > 0.8
    assert judged[1:] == ended


def test_recipes_of_before_learn_in_float32() -> None:
    content = LESSON.to_json()
    del content["precision"]
    assert Recipe.from_json(content).precision == "float32"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_auto_is_what_the_device_is_made_for(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: precision == "bfloat16")
    prepared = prepare(tiny(), colors(), LESSON.replace(precision="auto"), "cpu")
    # As the run keeps it, so that it goes on in the same way on another machine.
    assert prepared.recipe == LESSON.replace(precision=precision)
    assert quick_precision(torch.device("mps")) == "float32"
