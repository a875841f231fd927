"""Signals by which a training is asked to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from cnnstudio.runs.signals import stopping_on_signals
from cnnstudio.training.control import Control

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def nothing(number: int, frame: FrameType | None) -> None:
    """Somebody else's handler."""


@pytest.fixture(autouse=True)
def _somebody_elses_handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, nothing) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_first_stops_the_training_and_the_next_does_what_it_did_before(name: str) -> None:
    control, number = Control(), getattr(signal, name)
    with stopping_on_signals(control):
        os.kill(os.getpid(), number)
        assert control.stop.is_set()
        assert signal.getsignal(number) is nothing


def test_a_terminal_that_is_closed_stops_it_however_often_it_says_so() -> None:
    control = Control()
    with stopping_on_signals(control):
        os.kill(os.getpid(), signal.SIGHUP)
        assert control.stop.is_set()
        assert signal.getsignal(signal.SIGHUP) is not nothing
    assert signal.getsignal(signal.SIGHUP) is nothing


def test_a_program_that_was_started_to_outlive_its_terminal_does() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    control = Control()
    with stopping_on_signals(control):
        os.kill(os.getpid(), signal.SIGHUP)
        assert not control.stop.is_set()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
