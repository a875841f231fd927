"""Where pretrained weights are on this computer, if they are. Needs no torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from cnnstudio.core.paths import home
from cnnstudio.training.pretrained.catalog import PretrainedWeights, pretrained


def pretrained_folder() -> Path:
    """Where the converted weights are; they can be deleted at any time."""
    return home() / "pretrained"


def is_installed(name: str) -> bool:
    """Whether the weights can be loaded: their package is there, or they were converted before."""
    found = pretrained(name)
    return locate(found) is not None or converted_file(found).exists()


def locate(weights: PretrainedWeights) -> Path | None:
    """The file of the weights in the installed package, of which no code runs; None if it is not there."""
    try:
        # Of a name without dots, this only looks at the disk.
        spec = importlib.util.find_spec(weights.package)
    except (ImportError, ValueError):
        return None
    folders = (spec.submodule_search_locations if spec else None) or ()
    files = (Path(folder, *weights.file.split("/")) for folder in folders)
    return next((file for file in files if file.is_file()), None)


def converted_file(weights: PretrainedWeights) -> Path:
    """Where the weights are once they were converted."""
    return pretrained_folder() / f"{weights.name}-{weights.sha256[:12]}.safetensors"
