"""What torch keeps for the whole process or thread: set for a training, put back afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from cnnstudio.training.hardware.device import DeviceError, naming_device_errors


@contextmanager
def own_settings(device: torch.device, threads: int | None, seed: int) -> Iterator[None]:
    """Inside, random numbers come from `seed`, and the CPU works with `threads`. The caller's are put back.

    torch keeps the number of threads for each thread of Python by itself. Raises DeviceError where the device
    fails.
    """
    with naming_device_errors(device):
        threads_before = torch.get_num_threads()
        state_before = random_state(device)
        try:
            if threads is not None:
                torch.set_num_threads(threads)
            torch.manual_seed(seed)
            with quick_kernels(device):
                yield
        finally:
            torch.set_num_threads(threads_before)
            # A device that failed has no random numbers any more.
            with contextlib.suppress(DeviceError), naming_device_errors(device):
                set_random_state(device, state_before)


@contextmanager
def quick_kernels(device: torch.device) -> Iterator[None]:
    """Inside, a graphics card multiplies matrices with TF32 and tries which convolution is quickest.

    TF32 keeps float32's range and 10 of its 23 binary digits; for convolutions it is torch's own default.
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
    """Random numbers, as Dropout takes them, that are this rank's own in this step.

    They differ from those of one process, but not from those of the same ranks after an interruption.
    """
    state = np.random.SeedSequence([seed % 2**64, rank, step]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Where the random numbers of the CPU and of the device are."""
    state = {"rng.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["rng.cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["rng.mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(device: torch.device, state: dict[str, Tensor]) -> None:
    """Puts them there again; what was taken on another device is passed over."""
    torch.set_rng_state(state["rng.cpu"])
    if device.type == "cuda" and "rng.cuda" in state:
        torch.cuda.set_rng_state(state["rng.cuda"], device)
    elif device.type == "mps" and "rng.mps" in state:
        torch.mps.set_rng_state(state["rng.mps"])
