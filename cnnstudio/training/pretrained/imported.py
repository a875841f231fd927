"""Where the weights of networks that were imported in the window are: beside the pretrained ones."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from cnnstudio.core.paths import home
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.interchange.onnx.reader import ImportedOnnx
from cnnstudio.interchange.onnx.weights import write_weights
from cnnstudio.training.pretrained.metadata import SUFFIX, weights_metadata

_MAX_NAME = 60


def imported_folder() -> Path:
    """A run that starts from one of these files names it; otherwise they can be deleted at any time."""
    return home() / "pretrained" / "imported"


def keep_weights(imported: ImportedOnnx, progress: ProgressFunction, cancelled: CancelFunction) -> Path:
    """Writes the weights of an import as a safetensors file, and returns where it is.

    The same file, imported again, is written to the same place. Raises OnnxError, FileError and Cancelled.
    """
    source = imported.source.path
    found = os.stat(source)
    version = f"{os.path.abspath(source)}\0{found.st_size}\0{found.st_mtime_ns}\0{imported.source.output}"
    digest = hashlib.sha256(version.encode("utf-8", "surrogateescape")).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", source.stem).strip(".-")[:_MAX_NAME] or "net"
    path = imported_folder() / f"{name}-{digest[:8]}{SUFFIX}"
    metadata = weights_metadata(source.name, imported.normalization)
    write_weights(path, imported.weights, metadata, progress, cancelled)
    return path
