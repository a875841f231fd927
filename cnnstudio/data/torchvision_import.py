"""Imports torchvision, even if its compiled operators do not match the installed torch."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

_lock = threading.Lock()
_libraries: list[Any] = []  # torch drops the definitions when the Library object is garbage collected


def import_torchvision() -> ModuleType:
    """The package torchvision, with `torchvision.datasets` available.

    WORKAROUND: torchvision built for CUDA, next to a torch without it, cannot load its operators and then
    fails with `operator torchvision::nms does not exist`. With the two signatures defined, the import
    succeeds; data sets, transforms and models need none of the operators. Matching builds never get here.
    """
    with _lock:
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::nms" not in str(error):
                raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _define_operators()
        return importlib.import_module("torchvision")


def _define_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)
