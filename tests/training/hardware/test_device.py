"""A device that fails during training: one sentence for the user, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnstudio.training.events import EpochEnded, Finished
from cnnstudio.training.hardware.device import DeviceError, translate_device_errors
from cnnstudio.training.preflight.learning_rate_finder import find_learning_rate
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe("test", epochs=3, batch_size=16, learning_rate=0.01, validation_share=0.25)
LOST = torch.AcceleratorError(
    "CUDA error: an illegal memory access was encountered\nFor debugging pass CUDA_LAUNCH_BLOCKING=1"
)
CPU = torch.device("cpu")


@pytest.fixture
def failing_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the device fail at that step and at all later ones, as real devices do."""

    def fail_at(step: int) -> None:
        done: list[int] = []
        backward = TrainingStep.backward

        def fail(*arguments: Any) -> object:
            done.append(1)
            if len(done) >= step:
                raise LOST
            return backward(*arguments)

        monkeypatch.setattr(TrainingStep, "backward", fail)

    return fail_at


def test_a_failing_device_ends_the_run_in_one_sentence_and_keeps_its_checkpoints(
    failing_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = Listener()
    train(tiny(), colors(), RECIPE, emit=whole, folder=tmp_path / "whole")
    listener = Listener()
    with monkeypatch.context():
        failing_at(8)
        finished = train(tiny(), colors(), RECIPE, emit=listener, folder=tmp_path / "run")
    assert listener.of(Finished) == [finished]
    assert (finished.outcome, finished.test, finished.best_epoch) == ("failed", None, 1)
    assert finished.reason == (
        "The device cpu failed (CUDA error: an illegal memory access was encountered): restart the "
        "program, or train on the cpu."
    )
    monkeypatch.undo()
    again = Listener()
    train(tiny(), colors(), RECIPE, emit=again, folder=tmp_path / "run", resume=True)
    ended = [*listener.of(EpochEnded), *again.of(EpochEnded)]
    assert [event.validation for event in ended] == [event.validation for event in whole.of(EpochEnded)]


def test_a_failing_device_ends_a_trial_in_one_sentence(failing_at: Callable[[int], None]) -> None:
    failing_at(3)
    with pytest.raises(DeviceError, match=r"The device cpu failed \(CUDA error: an illegal memory access"):
        find_learning_rate(prepare(tiny(), colors(), RECIPE), steps=20)


def test_a_failure_to_restore_random_numbers_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(state: torch.Tensor) -> None:
        raise LOST

    finished = train(tiny(), colors(), RECIPE.replace(epochs=1), emit=Listener())
    monkeypatch.setattr(torch, "set_rng_state", lost)
    assert train(tiny(), colors(), RECIPE.replace(epochs=1), emit=Listener()).test == finished.test


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shape mismatch"),
        torch.OutOfMemoryError("CUDA out of memory"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory"),
        ValueError("CUDA error"),
    ],
)
def test_other_errors_are_not_device_errors(error: Exception) -> None:
    with pytest.raises(type(error)), translate_device_errors(CPU):
        raise error


@pytest.mark.parametrize(
    "message",
    ["CUDA error: unspecified launch failure", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"],
)
def test_errors_of_device_libraries_are_recognized(message: str) -> None:
    with pytest.raises(DeviceError, match=message), translate_device_errors(CPU):
        raise RuntimeError(f"{message}.\nmore")
