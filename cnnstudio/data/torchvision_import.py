"""The only way to torchvision, also where its compiled operators do not fit the installed torch."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

_lock = threading.Lock()
_libraries: list[Any] = []  # torch forgets the definitions with the object that made them


def import_torchvision() -> ModuleType:
    """The package torchvision, with `torchvision.datasets` ready.

    WORKAROUND: torchvision built for CUDA, beside a torch without it, cannot load its operators and then
    stumbles over `operator torchvision::nms does not exist`. With the two signatures defined it imports; data
    sets, transforms and models need none of the operators. A matched pair never needs this.
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
