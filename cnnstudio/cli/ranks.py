"""Runs `cnnstudio train` as one of the processes that torchrun starts."""

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
from cnnstudio.cli.output import echo
from cnnstudio.cli.preflight import AUTO
from cnnstudio.training.distributed.ranks import (
    SINGLE_PROCESS,
    Ranks,
    RanksError,
    is_distributed,
    is_main_process,
)


def run_on_ranks(options: argparse.Namespace, train: Callable[[Ranks], int]) -> int:
    """Trains together with the other processes, of which only the first prints; returns the exit status.

    Raises UsageError for options that need a single process, DeviceError, and what `train` raises; an error
    of the connection to the other processes is printed instead.
    """
    if not is_distributed():
        return train(SINGLE_PROCESS)
    if options.find_learning_rate or options.preflight or options.batch_size == AUTO:
        raise UsageError(
            "--find-learning-rate, --preflight and --batch-size auto measure a single process: "
            "run them without torchrun"
        )
    from cnnstudio.training.distributed.process_group import process_group

    # Kept before it is silenced, because any process may be the one to report that the others are gone.
    stderr = sys.stderr
    try:
        with (
            _quiet_unless_first(),
            process_group(options.device) as ranks,
            _ignore_sigterm_after_failure(ranks),
        ):
            try:
                status = train(ranks)
            except RanksError:
                status = FAILED
            if ranks.failure_reason and ranks.is_first_to_report():
                _print_error(ranks.failure_reason, stderr)
            return status
    except RanksError as error:
        # The processes could not connect.
        _print_error(str(error), stderr)
        return FAILED


def _print_error(message: str, stream: TextIO) -> None:
    echo(f"cnnstudio: {message}", file=stream)


@contextlib.contextmanager
def _ignore_sigterm_after_failure(ranks: Ranks) -> Iterator[None]:
    """Inside, SIGTERM is ignored once another rank has failed: this one is about to exit anyway.

    When a rank fails, torchrun sends SIGTERM to all others. It may arrive just before the one that reports
    the failure has printed it.
    """
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        if ranks.failure_reason is None:
            signal.signal(number, before)
            signal.raise_signal(number)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet_unless_first() -> Iterator[None]:
    """Inside, all processes but the first print nothing."""
    if is_main_process():
        yield
        return
    with contextlib.ExitStack() as stack:
        null = stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(contextlib.redirect_stdout(null))
        stack.enter_context(contextlib.redirect_stderr(null))
        yield
