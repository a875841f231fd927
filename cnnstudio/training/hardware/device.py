"""Which devices there are, and the one to train on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import shorten, shown
from cnnstudio.training.hardware.device_memory import is_out_of_memory

_SIGNS = ("CUDA error", "HIP error", "cuDNN error", "CUDNN_STATUS", "CUBLAS_STATUS", "MPS backend")
"""By which a RuntimeError of torch's comes from the device and not from what was asked of it."""


class DeviceError(UserError):
    """A device that is not there, and then the message names those that are; or one that failed."""


@contextmanager
def naming_device_errors(device: torch.device) -> Iterator[None]:
    """Inside, a device that fails raises DeviceError, with what it says. Memory that ran out is not that."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error) or not _is_of_device(error):
            raise
        # Behind the first line torch says how programmers look into it.
        said = shorten(str(error).partition("\n")[0], 160).rstrip(".")
        raise DeviceError(
            f"The device {device} failed ({said}): start the program anew, or train on the cpu."
        ) from error


def _is_of_device(error: RuntimeError) -> bool:
    return isinstance(error, torch.AcceleratorError) or any(sign in str(error) for sign in _SIGNS)


def available_devices() -> list[str]:
    """`["cpu"]`, and what accelerators this machine has, such as `cuda:0` and `mps`."""
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes the first accelerator, else the CPU. Raises DeviceError."""
    devices = available_devices()
    if name == "auto":
        return torch.device(devices[min(1, len(devices) - 1)])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in devices:
        raise DeviceError(f"device: there is no {shown(name)} on this machine; there is {', '.join(devices)}")
    return torch.device(wanted)


def device_title(device: torch.device) -> str:
    """The device as people know it: the accelerator's product name where there is one."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def titled_devices() -> dict[str, str]:
    """The devices that there are, each with its title beside its name where it has one of its own."""
    titles = {name: device_title(torch.device(name)) for name in available_devices()}
    return {name: name if title == name else f"{name} ({title})" for name, title in titles.items()}


def quick_precision(device: torch.device) -> str:
    """The recipe's precision by which the device computes fastest: "bfloat16" where it was made for that."""
    if device.type == "cuda":
        made_for_it = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Others emulate it, several times slower; of what is no x86 torch tells nothing.
        made_for_it = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if made_for_it else "float32"
