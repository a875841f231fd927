"""Garbage collection on the main thread alone, as long as a window is open.

Python collects in whichever thread allocates one object too many. On the compute thread a collection may
destroy Qt objects of the main thread, such as a closed dialog, which crashes the program. So Python's own
collections are off while a window is open, and a timer of the main thread collects instead.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from PySide6.QtCore import QObject, QTimer

from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project

TICK_MS = 1_000
IDLE_MS = 2_000
"""The time after the last edit, or after a training, from which on the user counts as idle."""

_WORTHWHILE = 150_000
"""New objects after which a full collection is worth its time, once the user is idle. With a design of 500
layers it takes 50 to 200 ms, during which the window freezes and a training waits."""
_OVERDUE = 7_000_000
"""New objects after which a full collection does not wait any longer."""


class _PythonCollections:
    """The collections that Python starts by itself: off as long as any window has suspended them."""

    def __init__(self) -> None:
        self._suspended_by: set[object] = set()
        self._were_enabled = False
        self._is_frozen = False

    def suspend(self, token: object) -> None:
        if not self._suspended_by:
            self._were_enabled = gc.isenabled()
            gc.disable()
        self._suspended_by.add(token)

    def restore(self, token: object) -> None:
        """Takes back what `suspend` did with the same token; later calls do nothing."""
        if token not in self._suspended_by:
            return
        self._suspended_by.remove(token)
        if not self._suspended_by:
            if self._is_frozen:
                self._is_frozen = False
                gc.unfreeze()
            if self._were_enabled:
                gc.enable()

    def freeze(self) -> None:
        """Makes collections shorter, by exempting all present objects until the last `restore`."""
        if self._suspended_by and not self._is_frozen:
            self._is_frozen = True
            gc.freeze()


# Of the process, as are Python's collections. A token stays in it until its window is closed or destroyed.
_python_collections = _PythonCollections()


class GarbageCollector(QObject):
    """Collects for one window, as often as Python would, and fully when its user is idle.

    It collects until `stop` or until it is destroyed, which happens with its parent, the window.
    """

    def __init__(self, project: Project, session: TrainingSession, parent: QObject) -> None:
        super().__init__(parent)
        # torch would otherwise collect after compiling a model, on the compute thread.
        os.environ.setdefault("TORCH_DYNAMO_RUN_GC_AFTER_COMPILE", "0")
        self._session = session
        self._new_objects = 0
        self._after_training = False
        self._token = token = object()
        _python_collections.suspend(token)
        # Not a method of this object: it no longer exists when the signal arrives.
        self.destroyed.connect(lambda: _python_collections.restore(token))
        self._tick_timer = QTimer(self)
        self._tick_timer.setInterval(TICK_MS)
        self._tick_timer.timeout.connect(self._on_tick)
        self._tick_timer.start()
        self._idle_timer = QTimer(self)
        self._idle_timer.setSingleShot(True)
        self._idle_timer.setInterval(IDLE_MS)
        self._idle_timer.timeout.connect(self._on_idle)
        project.network_changed.connect(self._on_network_changed)
        session.state_changed.connect(self._on_state_changed)
        session.devices_changed.connect(self._on_torch_loaded)

    def stop(self) -> None:
        """Python collects again by itself, unless another window is open. Nothing computes by then."""
        self._tick_timer.stop()
        self._idle_timer.stop()
        _python_collections.restore(self._token)

    def _on_tick(self) -> None:
        # While torch is imported, a hundred thousand objects are created, hardly any of which is garbage.
        if self._session.is_busy and not self._session.devices:
            return
        new, young_collections, _ = gc.get_count()
        threshold, young_threshold, _ = gc.get_threshold()
        if new > threshold:
            self._new_objects += new
            gc.collect(1 if young_collections > young_threshold else 0)
        if self._new_objects > _OVERDUE:
            self._collect_fully()

    def _on_torch_loaded(self) -> None:
        # The modules loaded by now live as long as the process.
        _python_collections.freeze()

    def _on_network_changed(self, _: object) -> None:
        self._idle_timer.start()

    def _on_state_changed(self, state: Any) -> None:
        if state is State.IDLE:
            self._after_training = True
            self._idle_timer.start()

    def _on_idle(self) -> None:
        if self._after_training or self._new_objects > _WORTHWHILE:
            self._collect_fully()

    def _collect_fully(self) -> None:
        self._after_training = False
        self._new_objects = 0
        gc.collect()
