"""How many CPU threads work between the steps of a training uses: all, or one beside other programs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cnnstudio.training.hardware.processor_load import ProcessorLoad
from cnnstudio.training.hardware.torch_state import one_thread

_SECONDS = 0.1
"""The least that the load is measured over: the system counts in hundredths of a second."""


class SpareThreads:
    """Says anew for each part of some work whether other programs need the processor.

    Threads that share an operation wait for each other by spinning. Beside two busy programs, looking at all
    layers of a network took six times as much of the processor with two threads as with one, and four times
    as long. For the steps themselves, a `ThreadPolicy` tries what is faster.
    """

    def __init__(self) -> None:
        self._load = ProcessorLoad()
        self._measured = time.monotonic()
        self._is_needed = False

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, one thread computes while other programs need the processor, else as many as before."""
        now, threads = time.monotonic(), torch.get_num_threads()
        if threads > 1 and now - self._measured >= _SECONDS:
            self._measured, self._is_needed = now, self._load.others_need(threads)
        with one_thread(self._is_needed):
            yield
