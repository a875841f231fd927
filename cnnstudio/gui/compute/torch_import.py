"""Imports torch on the compute thread, and shares the computer's cores between it and the main thread."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.gui.compute.task_runner import TaskRunner

_LIBRARIES = (("libtorch_global_deps.so", "RTLD_GLOBAL"), ("libtorch.so", "RTLD_LOCAL"))
"""In the order in which torch loads them, with the visibility of their symbols."""


class TorchImport(QObject):
    """Imports torch before anything else runs on the compute thread."""

    _torch_loaded = Signal()

    def __init__(
        self, runner: TaskRunner, on_imported: Callable[[dict[str, str]], object], parent: QObject
    ) -> None:
        """`on_imported` is called in the compute thread, with the machine's devices and their titles."""
        super().__init__(parent)
        self._runner = runner
        self._on_imported = on_imported
        self._has_begun = False
        self._main_is_ready = threading.Event()
        self._torch_loaded.connect(self._on_torch_loaded)

    # Called in the main thread

    def begin(self) -> None:
        """Queues the import; later calls do nothing."""
        if not self._has_begun:
            self._has_begun = True
            # It cannot be interrupted, and leaves nothing behind.
            self._runner.submit(self._import_torch, is_work=False)

    def release(self) -> None:
        """Lets the compute thread go on without the main thread, which is about to wait for its end."""
        self._main_is_ready.set()

    def _on_torch_loaded(self) -> None:
        # The main thread's only call into torch. With one thread of its own it takes no core from the compute
        # thread.
        sys.modules["torch"].set_num_threads(1)
        self._main_is_ready.set()

    # Called in the compute thread

    def _import_torch(self) -> None:
        load_torch_libraries()
        import torch

        # Emitted from this thread to a slot of the main thread, so Qt queues it. Not through the event queue,
        # whose next drain may be up to DRAIN_EVERY_MS away while this thread waits.
        threads = torch.get_num_threads()
        self._torch_loaded.emit()
        # The main thread sets its own number of threads to 1. Some libraries under torch keep one number for
        # the whole process, so that must happen before this thread sets its own.
        self._main_is_ready.wait()
        torch.set_num_threads(threads)
        import cnnstudio.insight.feature_maps
        import cnnstudio.insight.layer_statistics
        import cnnstudio.insight.slices
        import cnnstudio.runs.start  # noqa: F401  # imported ahead, so that Train starts at once
        from cnnstudio.training.hardware.device import device_labels

        self._on_imported(device_labels())


def load_torch_libraries() -> None:
    """Does ahead what takes longest of `import torch`; where that is not possible, nothing.

    While Python imports a module that is a shared library, no other Python code runs, that of the window
    included: with torch's libraries for some tenths of a second. A function that ctypes calls, as `dlopen`
    here, lets other threads run. The import then finds the libraries loaded.
    """
    if sys.platform != "linux":
        return
    found = find_spec("torch")
    if found is None or found.origin is None:
        return
    folder = Path(found.origin).parent / "lib"
    try:
        load = ctypes.CDLL(None).dlopen
    except (OSError, AttributeError):
        # A C library that has it elsewhere.
        return
    load.argtypes, load.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    for name, visibility in _LIBRARIES:
        # If it fails, the import says why.
        load(os.fsencode(folder / name), os.RTLD_NOW | getattr(os, visibility))
