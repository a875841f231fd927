"""`cnnstudio train` as one of the processes that torchrun starts."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TextIO

from cnnstudio.cli.command import FAILED, UsageError
from cnnstudio.cli.preflight import AUTO
from cnnstudio.training.distributed.ranks import ALONE, Ranks, RanksError, are_several, speaks_for_all


def on_ranks(options: argparse.Namespace, train: Callable[[Ranks], int]) -> int:
    """Does it together with the others, of which the first one alone prints; gives the exit status."""
    if not are_several():
        return train(ALONE)
    if options.find_learning_rate or options.preflight or options.batch_size == AUTO:
        raise UsageError(
            "--find-learning-rate, --preflight and --batch-size auto try out what one process can do: "
            "run them without torchrun"
        )
    from cnnstudio.training.distributed.process_group import joined

    # Each can say that the others are gone.
    voice = sys.stderr
    try:
        with _quiet_unless_first(), joined(options.device) as ranks, _ending_in_peace(ranks):
            try:
                status = train(ranks)
            except RanksError:
                status = FAILED
            if ranks.lost and ranks.is_first_to_say():
                _complain(ranks.lost, voice)
            return status
    except RanksError as error:
        # They have not found each other.
        _complain(str(error), voice)
        return FAILED


def _complain(sentence: str, voice: TextIO) -> None:
    print(f"cnnstudio: {sentence}", file=voice, flush=True)


@contextlib.contextmanager
def _ending_in_peace(ranks: Ranks) -> Iterator[None]:
    """Inside, SIGTERM does nothing to a rank that ends anyway, because others are lost.

    torchrun sends it then to all that are left, maybe in the moment in which one is about to say so.
    """
    before = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        if ranks.lost is None:
            signal.signal(number, before)
            signal.raise_signal(number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet_unless_first() -> Iterator[None]:
    """Inside, nothing is printed by the others."""
    if speaks_for_all():
        yield
        return
    with contextlib.ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        yield
