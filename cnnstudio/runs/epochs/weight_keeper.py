"""Keeps the weights of a run's epochs while it trains, within bounds on the disk and on the time."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import FileError, read_json
from cnnstudio.runs.epochs.kept_weights import (
    HOME_BYTES,
    RUN_BYTES,
    Weights,
    delete_epochs,
    epochs_to_delete,
    kept_sizes,
    write_weights,
)
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.heartbeat import is_held
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.run import RUN_FILE, Run
from cnnstudio.training.model import Model

_MAX_WAITING = 2
"""Epochs that wait to be written. With a slower disk, some are not kept."""
_SECONDS_TO_CLOSE = 10.0

_MAX_ERROR = 1e-3
"""Of half precision, relative to the norm of a tensor. Very small or large weights have more: see `halve`."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Kept:
    epoch: int
    weights: Weights
    best_epoch: int | None


class WeightKeeper:
    """Writes the weights of one run in a thread of its own, which waits for the disk instead of the training.

    All methods are called in the training thread.
    """

    def __init__(self, folder: Path, owner: str) -> None:
        """`owner` tells the run from others of the same design."""
        self._folder = folder
        self._owner = owner
        self._queue: queue.Queue[_Kept | None] = queue.Queue(_MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._is_dead = False
        """Whether the thread has ended by an error that nobody expected."""
        self.error: UserError | None = None
        """Why the last weights were not kept; None while everything is in order."""

    def keep(self, epoch: int, model: Model, best_epoch: int | None) -> None:
        """Copies the model's weights and has them written, unless the disk is too slow for that."""
        if self._queue.full() or self._is_dead:
            return
        weights = halve(model)
        if sum(each.nbytes for each in weights.values()) > RUN_BYTES:
            return
        if self._thread is None:
            # A daemon thread: a network drive that hangs must not keep the program from exiting.
            self._thread = threading.Thread(target=self._write_all, name="weights", daemon=True)
            self._thread.start()
        self._queue.put(_Kept(epoch, weights, best_epoch))

    def close(self) -> None:
        """Waits for what is still to be written, but not for a drive that hangs."""
        thread, self._thread = self._thread, None
        # A thread that has failed takes nothing from the queue any more.
        if thread is None or not thread.is_alive():
            return
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=_SECONDS_TO_CLOSE)
        thread.join(_SECONDS_TO_CLOSE)

    def _write_all(self) -> None:
        try:
            limit_home(runs_folder(), self._folder, HOME_BYTES - RUN_BYTES)
            while (kept := self._queue.get()) is not None:
                self._write(kept)
        except Exception:
            _log.exception("The thread that keeps weights failed")
            self._is_dead = True
            self.error = UserError("An unexpected error occurred; see the log.")

    def _write(self, kept: _Kept) -> None:
        # Twice, because the folder may be deleted while this writes, and be recreated before it fails.
        for is_last in (False, True):
            # If the folder was deleted, it is recreated by the recorder or not at all.
            if not self._is_own_folder():
                return
            try:
                write_weights(self._folder, kept.epoch, kept.weights, self._owner)
                self.error = None
                break
            except FileError as error:
                if is_last:
                    self.error = error
        limit_run(self._folder, kept.best_epoch, RUN_BYTES)

    def _is_own_folder(self) -> bool:
        """Whether the folder is there, and no other run has been started in it since."""
        try:
            return bool(read_json(self._folder / RUN_FILE)["created"] == self._owner)
        except (FileError, TypeError, KeyError):
            return False


def halve(model: Model) -> Weights:
    """A copy of the model's weights in half precision, where that is precise enough.

    Statistics of normalizations, biases and whatever has a single axis stay as they are: they are small, and
    errors in them change whole channels. So do weights for which half precision has too few digits, as those
    before a normalization, which may shrink to any scale.
    """
    trained = {name for name, _ in model.named_parameters()}
    found: Weights = {}
    for name, tensor in model.state_dict().items():
        value = tensor.detach()
        if name in trained and value.ndim > 1 and value.is_floating_point():
            half = value.half()
            error, norm = (half.float() - value).norm().item(), value.norm().item()
            # An overflow makes the error infinite or NaN.
            if error <= _MAX_ERROR * norm:
                value = half
        found[name] = value.cpu().contiguous().numpy().copy()
    return found


def limit_run(folder: Path, best_epoch: int | None, budget: int) -> None:
    """Deletes kept weights of the run until they have at most `budget` bytes."""
    delete_epochs(folder, epochs_to_delete(kept_sizes(folder), best_epoch, budget))


def limit_home(runs: Path, current: Path, budget: int) -> None:
    """Deletes kept weights of the oldest runs in the folder until all together have at most `budget` bytes.

    First each loses all but the first, best and last epoch, then those as well. `current` and runs that are
    being written lose nothing.
    """
    found: list[tuple[float, Path, dict[int, int]]] = []
    with contextlib.suppress(OSError):
        for folder in runs.iterdir():
            sizes = {} if folder.is_symlink() else kept_sizes(folder)
            if sizes:
                found.append((_modified(folder), folder, sizes))
    total = sum(sum(sizes.values()) for _, _, sizes in found)
    for keeps_some in (True, False):
        for _, folder, sizes in sorted(found, key=lambda entry: entry[:2]):
            if total <= budget:
                return
            if folder.resolve() == current.resolve() or is_held(folder):
                continue
            allowed = 0
            if keeps_some:
                allowed = max(sum(sizes.values()) - (total - budget), _size_of_three(folder, sizes))
            doomed = epochs_to_delete(sizes, _best_epoch(folder), allowed)
            delete_epochs(folder, doomed)
            total -= sum(sizes.pop(epoch) for epoch in doomed)


def _size_of_three(folder: Path, sizes: dict[int, int]) -> int:
    """The bytes of the first, best and last epoch."""
    three = {min(sizes), max(sizes), _best_epoch(folder)}
    return sum(size for epoch, size in sizes.items() if epoch in three)


def _best_epoch(folder: Path) -> int | None:
    try:
        return Run.open(folder).best_epoch
    except RunError:
        return None


def _modified(folder: Path) -> float:
    try:
        return (folder / RUN_FILE).stat().st_mtime
    except OSError:
        return 0.0
