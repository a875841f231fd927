"""Signals that stop a training."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from cnnstudio.runs.signals import stopping_on_signals
from cnnstudio.training.control import Control

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def other_handler(number: int, frame: FrameType | None) -> None:
    """A handler that was installed before."""


@pytest.fixture(autouse=True)
def _handlers_installed_before() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, other_handler) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_first_signal_stops_the_training_and_the_second_goes_to_the_previous_handler(name: str) -> None:
    control, number = Control(), getattr(signal, name)
    with stopping_on_signals(control):
        os.kill(os.getpid(), number)
        assert control.stop.is_set()
        assert signal.getsignal(number) is other_handler


def test_a_closed_terminal_stops_the_training_however_often_it_signals() -> None:
    control = Control()
    with stopping_on_signals(control):
        os.kill(os.getpid(), signal.SIGHUP)
        assert control.stop.is_set()
        assert signal.getsignal(signal.SIGHUP) is not other_handler
    assert signal.getsignal(signal.SIGHUP) is other_handler


def test_a_program_started_with_nohup_outlives_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    control = Control()
    with stopping_on_signals(control):
        os.kill(os.getpid(), signal.SIGHUP)
        assert not control.stop.is_set()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
