"""ResNet-9 from an empty design by the keyboard alone, against the model as one writes it in PyTorch."""

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


def by_hand() -> nn.Module:
    """What adds up in the two residual groups has no parameters, so that a plain row has the same number."""
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
def test_resnet_9_is_drawn_by_the_keyboard_alone(screen: dict[str, str], home: Path, tmp_path: Path) -> None:
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
    seen = json.loads(done.stdout.splitlines()[-1])
    drawn = [
        (layer["type"], [child["type"] for child in layer["layers"]]) if "layers" in layer else layer["type"]
        for layer in seen["layers"]
    ]
    assert drawn == LAYERS
    assert {layer["activation"] for layer in seen["layers"] if "layers" in layer} == {"linear"}
    assert seen["parameters"] == sum(weights.numel() for weights in by_hand().parameters())
    assert seen["problems"] == []
    assert "wrap 6 layers in Residual" in seen["steps"]
    assert "paste Residual" in seen["steps"]
    assert any(
        row.startswith("Layer 1, Conv2D, 64 filters 3 by 3, same, output 64 by 32") for row in seen["rows"]
    )
