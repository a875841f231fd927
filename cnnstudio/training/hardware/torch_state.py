"""torch's settings for the whole process or thread: set for a training, and restored afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from cnnstudio.training.hardware.device import DeviceError, translate_device_errors

MAX_UNSHARED = 20_000_000
"""Multiplications of an operation that is not worth sharing between threads: it takes about a millisecond."""


@contextmanager
def torch_settings(device: torch.device, threads: int | None, seed: int) -> Iterator[None]:
    """Inside, random numbers are seeded with `seed`, and the CPU uses `threads` threads (None: unchanged).

    The caller's settings are restored afterwards. torch has a separate number of threads for each Python
    thread. Raises DeviceError if the device fails.
    """
    with translate_device_errors(device):
        threads_before = torch.get_num_threads()
        state_before = random_state(device)
        try:
            if threads is not None:
                torch.set_num_threads(threads)
            torch.manual_seed(seed)
            with fast_kernels(device):
                yield
        finally:
            torch.set_num_threads(threads_before)
            # A device that failed cannot set its random numbers either.
            with contextlib.suppress(DeviceError), translate_device_errors(device):
                set_random_state(device, state_before)


@contextmanager
def one_thread(applies: bool) -> Iterator[None]:
    """Inside, the CPU uses a single thread, if that `applies`; for work that is too small to be shared.

    Threads that share an operation wait for each other by spinning. Beside another program, steps of less
    than a millisecond took twenty times as long with two threads as with one.
    """
    threads = torch.get_num_threads()
    if applies:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if applies:
            torch.set_num_threads(threads)


@contextmanager
def fast_kernels(device: torch.device) -> Iterator[None]:
    """Inside, a CUDA device multiplies matrices in TF32 and chooses the fastest convolution by trying them.

    TF32 has float32's range but 10 instead of 23 bits of precision. For convolutions it is torch's default.
    """
    precision, benchmark = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.benchmark = benchmark


def seed_step(seed: int, rank: int, step: int) -> None:
    """Seeds the random numbers, which Dropout uses, for this rank and step.

    Ranks must draw different numbers, or all of them would drop the same units. Seeding each step makes the
    numbers independent of the checkpoint, which holds the random state of the first rank only. So a resumed
    run repeats them exactly; they differ from those of a single process.
    """
    state = np.random.SeedSequence([seed % 2**64, rank, step]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The states of the random number generators of the CPU and of the device, by `rng.` and the device type.

    Each is uint8 (n,) in main memory; length and contents are specific to torch.
    """
    state = {"rng.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["rng.cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["rng.mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(device: torch.device, state: dict[str, Tensor]) -> None:
    """Restores what `random_state` gave: name -> uint8 (n,). States of other types of devices are ignored.

    Raises KeyError if the state of the CPU is missing.
    """
    torch.set_rng_state(state["rng.cpu"])
    if device.type == "cuda" and "rng.cuda" in state:
        torch.cuda.set_rng_state(state["rng.cuda"], device)
    elif device.type == "mps" and "rng.mps" in state:
        torch.mps.set_rng_state(state["rng.mps"])
