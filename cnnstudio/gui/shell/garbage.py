"""Garbage collection on the main thread alone, while a window is open.

Python collects in whichever thread allocates one object too many. On the compute thread, a collection
destroys Qt objects that belong to the main thread, such as a closed dialog, and that ends the process. So the
automatic collections are off, and a timer of the main thread collects instead. `gc.collect` hands a call from
another thread over to the main thread: torch calls it too, when it compiles or exports a model.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project

TICK_MS = 1_000
IDLE_MS = 2_000
"""The time after the last edit, or after a training, from which on the user counts as idle."""

_WORTHWHILE = 20
"""Collections of young objects after which a full collection is worth its time, once the user is idle. With a
design of 500 layers it takes 50 to 200 ms, during which the window freezes."""
_OVERDUE = 1_000
"""Collections of young objects after which a full collection does not wait any longer."""
_HANDOVER_SECONDS = 1.0
"""The longest that another thread waits for its collection. At the end of the program the main thread does
not collect any more, because it waits for that other thread."""

_collect = gc.collect


class _Request:
    """A collection that another thread wants."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.found = 0
        self.done = threading.Event()


# Of the process, as what they describe: the collector that is in charge is the last one.
_active: list[GarbageCollector] = []
_was_enabled = True
_is_frozen = False


def _collect_on_main_thread(generation: int = 2) -> int:
    """What `gc.collect` does meanwhile, in any thread; 0 if the main thread does not collect in time."""
    if threading.current_thread() is threading.main_thread():
        return _collect(generation)
    request = _Request(generation)
    # IndexError, RuntimeError: the last window has just been closed or deleted.
    with contextlib.suppress(IndexError, RuntimeError):
        _active[-1].requested.emit(request)
        request.done.wait(_HANDOVER_SECONDS)
    return request.found


class GarbageCollector(QObject):
    """Collects garbage from `start` to `stop`, as often as Python would, and fully when the user is idle."""

    requested = Signal(object)
    """A collection for another thread."""

    def __init__(self, project: Project, session: TrainingSession, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._young_collections = 0
        self._after_training = False
        self._tick_timer = QTimer(self)
        self._tick_timer.setInterval(TICK_MS)
        self._tick_timer.timeout.connect(self._on_tick)
        self._idle_timer = QTimer(self)
        self._idle_timer.setSingleShot(True)
        self._idle_timer.setInterval(IDLE_MS)
        self._idle_timer.timeout.connect(self._on_idle)
        self.requested.connect(self._on_requested)
        project.network_changed.connect(self._on_network_changed)
        session.state_changed.connect(self._on_state_changed)
        session.devices_changed.connect(self._on_torch_loaded)

    def start(self) -> None:
        """From now on garbage is collected on the main thread alone."""
        global _was_enabled
        if not _active:
            _was_enabled = gc.isenabled()
            gc.disable()
            gc.collect = _collect_on_main_thread
        _active.append(self)
        self._tick_timer.start()

    def stop(self) -> None:
        """Python collects again as before, once no window is open. The compute thread has ended by then."""
        self._tick_timer.stop()
        self._idle_timer.stop()
        if self in _active:
            _active.remove(self)
            if not _active:
                gc.collect = _collect
                if _was_enabled:
                    gc.enable()

    # Called in the main thread

    def _on_requested(self, request: _Request) -> None:
        request.found = _collect(request.generation)
        request.done.set()

    def _on_tick(self) -> None:
        # While torch is imported, a hundred thousand objects are created, of which hardly any is garbage.
        if self._is_importing:
            return
        allocated, young, _ = gc.get_count()
        first, second, _ = gc.get_threshold()
        if allocated > first:
            _collect(1 if young > second else 0)
            self._young_collections += 1
        if self._young_collections >= _OVERDUE:
            self._collect_fully()

    @property
    def _is_importing(self) -> bool:
        return self._session.is_busy and not self._session.devices

    def _on_torch_loaded(self) -> None:
        # The modules loaded by now live as long as the process. Exempting them makes every later collection
        # shorter; what little garbage there is among them stays.
        global _is_frozen
        if not _is_frozen:
            _is_frozen = True
            gc.freeze()

    def _on_network_changed(self, _: object) -> None:
        self._idle_timer.start()

    def _on_state_changed(self, state: Any) -> None:
        # The model of a run that has ended may be in a cycle: few objects, but much memory.
        if state is State.IDLE:
            self._after_training = True
            self._idle_timer.start()

    def _on_idle(self) -> None:
        if self._after_training or self._young_collections >= _WORTHWHILE:
            self._collect_fully()

    def _collect_fully(self) -> None:
        self._after_training = False
        self._young_collections = 0
        _collect()
