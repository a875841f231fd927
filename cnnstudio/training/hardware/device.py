"""The devices of this machine, and the choice of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import describe_value, shorten
from cnnstudio.training.hardware.device_memory import is_out_of_memory

_DEVICE_ERRORS = ("CUDA error", "HIP error", "cuDNN error", "CUDNN_STATUS", "CUBLAS_STATUS", "MPS backend")
"""Texts by which a RuntimeError of torch is a failure of the device and not of the program."""


class DeviceError(UserError):
    """A device that this machine does not have, or one that failed."""


@contextmanager
def translate_device_errors(device: torch.device) -> Iterator[None]:
    """Inside, a failure of the device is raised as DeviceError; running out of memory is not a failure."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error) or not _is_device_error(error):
            raise
        # The other lines are torch's debugging hints for programmers.
        detail = shorten(str(error).partition("\n")[0], 160).rstrip(".")
        raise DeviceError(
            f"The device {device} failed ({detail}): restart the program, or train on the cpu."
        ) from error


def _is_device_error(error: RuntimeError) -> bool:
    return isinstance(error, torch.AcceleratorError) or any(sign in str(error) for sign in _DEVICE_ERRORS)


def available_devices() -> list[str]:
    """`cpu`, and the accelerators of this machine, such as `cuda:0` and `mps`."""
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" is the first accelerator, or the CPU. Raises DeviceError."""
    devices = available_devices()
    if name == "auto":
        return torch.device(devices[min(1, len(devices) - 1)])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in devices:
        raise DeviceError(
            f"device: this machine has no {describe_value(name)}; available: {', '.join(devices)}"
        )
    return torch.device(wanted)


def device_title(device: torch.device) -> str:
    """The accelerator's product name, or the device's name if it has none."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def device_labels() -> dict[str, str]:
    """The available devices and how to show them: the name, with the product name if there is one."""
    titles = {name: device_title(torch.device(name)) for name in available_devices()}
    return {name: name if title == name else f"{name} ({title})" for name, title in titles.items()}


def fastest_precision(device: torch.device) -> str:
    """The fastest precision for the device: "bfloat16" if it has units for that, else "float32"."""
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Instructions alone are not enough: with those of AVX-512 and without matrix units (AMX), steps of
        # most templates had 0.5 to 0.9 of float32's speed, and those with 5 × 5 depthwise convolutions 0.3.
        has_bfloat16 = device.type == "cpu" and torch.cpu._is_amx_tile_supported()
    return "bfloat16" if has_bfloat16 else "float32"
