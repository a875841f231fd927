"""What the window asks of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.core.progress import ignore_progress
from cnnstudio.gui.compute.training_request import TrainingRequest
from cnnstudio.runs.run import Run
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Started, ThreadsChanged
from cnnstudio.training.hardware import thread_policy
from cnnstudio.training.recipe.recipe import Recipe
from tests.threads import ForcedThreads
from tests.training.images import colors
from tests.training.networks import tiny


@pytest.mark.parametrize(("names_seed", "expected"), [(False, [1]), (True, [])])
def test_only_a_training_that_is_not_one_of_several_seeds_may_use_fewer_threads(
    names_seed: bool, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    policy = type("Forced", (ForcedThreads,), {"schedule": {1: (1, False)}})
    monkeypatch.setattr(thread_policy, "make_policy", policy)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    events: list[Event] = []
    recipe = Recipe("mine", epochs=1, batch_size=16, validation_share=0.2)
    request = TrainingRequest(tiny(), "colors", recipe, names_seed=names_seed)
    request.train("cpu", colors(), Control(), events.append, [], ignore_progress)
    assert [event.threads for event in events if isinstance(event, ThreadsChanged)] == expected
    folder = next(event.run for event in events if isinstance(event, Started))
    assert folder is not None
    assert Run.open(Path(folder)).metadata.get("adapts_threads", False) is bool(expected)
