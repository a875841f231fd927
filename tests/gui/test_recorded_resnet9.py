"""ResNet-9 built by keyboard only, compared with the same model written in PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

_SCRIPT = Path(__file__).with_name("recorded_resnet9.py")


def convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def reference_model() -> nn.Module:
    """The model without its skip connections, which have no parameters and so do not change their number."""
    return nn.Sequential(
        *convolution(3, 64),
        *convolution(64, 128),
        nn.MaxPool2d(2),
        *convolution(128, 128),
        *convolution(128, 128),
        *convolution(128, 256),
        nn.MaxPool2d(2),
        *convolution(256, 512),
        nn.MaxPool2d(2),
        *convolution(512, 512),
        *convolution(512, 512),
        nn.MaxPool2d(4),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


STAGE = ["Conv2D", "BatchNormalization", "Activation"]
RESIDUAL = ("Residual", [*STAGE, *STAGE])
LAYERS = [
    *STAGE,
    *STAGE,
    "MaxPooling2D",
    RESIDUAL,
    *STAGE,
    "MaxPooling2D",
    *STAGE,
    "MaxPooling2D",
    RESIDUAL,
    "MaxPooling2D",
    "Flatten",
    "Dense",
]


@pytest.mark.timeout(200)
def test_resnet_9_is_built_by_keyboard_only(screen: dict[str, str], home: Path, tmp_path: Path) -> None:
    images = Path(os.environ.get("CNNSTUDIO_IMAGES", tmp_path))
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), str(images)],
        env={**os.environ, **screen, "CNNSTUDIO_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=190,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    observed = json.loads(done.stdout.splitlines()[-1])
    built = [
        (layer["type"], [child["type"] for child in layer["layers"]]) if "layers" in layer else layer["type"]
        for layer in observed["layers"]
    ]
    assert built == LAYERS
    assert {layer["activation"] for layer in observed["layers"] if "layers" in layer} == {"linear"}
    assert observed["parameters"] == sum(weights.numel() for weights in reference_model().parameters())
    assert observed["problems"] == []
    assert "wrap 6 layers in Residual" in observed["steps"]
    assert "paste Residual" in observed["steps"]
    assert any(
        row.startswith("Layer 1, Conv2D, 64 filters 3 by 3, same, output 64 by 32")
        for row in observed["rows"]
    )
