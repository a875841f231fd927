"""`cnnstudio train` as one of the processes that torchrun starts."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from cnnstudio.cli.command import FAILED, UsageError
from cnnstudio.cli.trials import AUTO
from cnnstudio.training.ranks import ALONE, Ranks, RanksError, are_several, speaks_for_all


def on_ranks(options: argparse.Namespace, train: Callable[[Ranks], int]) -> int:
    """Does it together with the others, of which the first one alone prints; gives the exit status."""
    if not are_several():
        return train(ALONE)
    if options.find_learning_rate or options.preflight or options.batch_size == AUTO:
        raise UsageError(
            "--find-learning-rate, --preflight and --batch-size auto try out what one process can do: "
            "run them without torchrun"
        )
    from cnnstudio.training.distributed import joined

    sentence = None
    try:
        with _quiet_unless_first(), joined(options.device) as ranks:
            try:
                status = train(ranks)
            except RanksError:
                status = FAILED
            if ranks.lost and ranks.is_first_to_say():
                sentence = ranks.lost
    except RanksError as error:
        # They have not found each other.
        status, sentence = FAILED, str(error)
    if sentence is not None:
        print(f"cnnstudio: {sentence}", file=sys.stderr)
    return status


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
