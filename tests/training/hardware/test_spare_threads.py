"""Work between the steps gives way to other programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from cnnstudio.training.hardware import spare_threads
from cnnstudio.training.hardware.adaptive_threads import ThreadRecord
from cnnstudio.training.hardware.processor_load import ProcessorLoad
from cnnstudio.training.hardware.spare_threads import SpareThreads
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.networks import tiny


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def used(spare: SpareThreads) -> int:
    with spare.applied():
        return torch.get_num_threads()


@pytest.mark.usefixtures("two_threads")
def test_one_thread_works_while_others_are_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    now, loads = [0.0], iter([True, True, False])
    monkeypatch.setattr(spare_threads.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(ProcessorLoad, "others_need", lambda load, threads: threads == 2 and next(loads))
    spare, found = SpareThreads(), list[int]()
    # Too soon to know anything, then three times measured; the fourth asks too soon again.
    for now[0] in (0.01, 0.2, 0.4, 0.6, 0.61):
        found.append(used(spare))
    assert found == [2, 1, 1, 2, 2]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("adapts", "expected"), [(True, 1), (False, 2)])
def test_looking_at_the_model_gives_way_where_the_number_may_change(
    adapts: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare_threads, "_SECONDS", 0.0)
    monkeypatch.setattr(ProcessorLoad, "others_need", lambda load, threads: True)
    seen = list[int]()
    train_prepared(
        prepare(tiny(), colors(), LESSON.replace(epochs=1), "cpu"),
        emit=lambda event: None,
        after_epoch=lambda epoch, model: seen.append(torch.get_num_threads()),
        adapt_threads=ThreadRecord() if adapts else None,
    )
    assert seen == [expected, expected]
