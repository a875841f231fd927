"""Deletes a run: moves it to the system's trash, or deletes its files for good."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.files import remove_abandoned_files
from cnnstudio.runs.archive.opened import require_changeable
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.heartbeat import is_held
from cnnstudio.runs.library.label import LABEL_FILE, LABEL_LOCK
from cnnstudio.runs.library.trash import Trashed, TrashFailure, TrashProblem, move_to_trash, restore
from cnnstudio.runs.run import DESIGN_FILE, EVENTS_FILE, RECIPE_FILE, RUN_FILE, Run

# `run.json` goes last: if deleting fails before, what is left is still a run that can be named and deleted.
_OWN_FILES = (
    *("checkpoints", "snapshots", "weights", EVENTS_FILE, LABEL_FILE, RECIPE_FILE, DESIGN_FILE, "lock"),
    LABEL_LOCK,
    # What was measured of it, see tuning.learning_curve, which this room must not import.
    "learning-curve.json",
    RUN_FILE,
)


class TrashError(RunError):
    """The run cannot be moved to the trash."""

    def __init__(self, message: str, problem: TrashProblem) -> None:
        super().__init__(message)
        self.problem = problem

    @property
    def can_delete_permanently(self) -> bool:
        """Whether deleting the run for good may succeed nevertheless."""
        return self.problem in (TrashProblem.NO_TRASH, TrashProblem.FULL, TrashProblem.OTHER)


@dataclass(frozen=True)
class TrashedRun:
    """A run in the trash."""

    folder: Path
    """Where it was."""
    parts: tuple[Trashed, ...] | None
    """What was moved, so that it can be moved back; None if that cannot be found in this system's trash."""


def trash_run(run: Run) -> TrashedRun:
    """Moves the run to the system's trash: its folder, or only its own files if others are in it.

    Raises TrashError if that fails, and RunError for a run in progress or from a zip file.
    """
    _require_deletable(run)
    for name in _OWN_FILES:
        remove_abandoned_files(run.folder, name)
    parts: list[Trashed] = []
    is_complete = True
    try:
        for path in _what_to_trash(run.folder):
            trashed = move_to_trash(path)
            is_complete = is_complete and trashed is not None
            parts += [trashed] if trashed is not None else []
    except (TrashFailure, OSError) as error:
        # All of it or nothing.
        with contextlib.suppress(OSError):
            _restore(parts)
        problem = error.problem if isinstance(error, TrashFailure) else TrashProblem.OTHER
        reason = str(error) if isinstance(error, TrashFailure) else error.strerror or str(error)
        text = f"The run {run.id} cannot be moved to the trash: {reason.rstrip('.')}."
        raise TrashError(text, problem) from None
    return TrashedRun(run.folder, tuple(parts) if is_complete else None)


def restore_run(trashed: TrashedRun) -> None:
    """Moves a run back from the trash. Raises RunError; what cannot be moved back stays in the trash."""
    if trashed.parts is None:
        raise RunError(f"The run {trashed.folder.name} can only be restored in the system's trash.")
    try:
        _restore(trashed.parts)
    except OSError as error:
        name, reason = trashed.folder.name, error.strerror or str(error)
        raise RunError(f"The run {name} cannot be moved back from the trash: {reason}.") from None


def _restore(parts: Iterable[Trashed]) -> None:
    for part in parts:
        restore(part)


def _what_to_trash(folder: Path) -> list[Path]:
    names = os.listdir(folder)
    # A link leads to a folder elsewhere, in which there may be anything.
    if folder.is_symlink() or set(names) - set(_OWN_FILES):
        return [folder / name for name in _OWN_FILES if name in names]
    return [folder]


def delete_run(run: Run) -> None:
    """Deletes what the run wrote for good, and the folder if nothing else is in it.

    Raises RunError for a run in progress, for one from a zip file, and if the system refuses.
    """
    _require_deletable(run)
    try:
        for name in _OWN_FILES:
            path = run.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"The run in {run.folder} cannot be deleted: {error.strerror or error}.") from None
    for name in _OWN_FILES:
        remove_abandoned_files(run.folder, name)
    # A folder that contains the user's own files stays.
    with contextlib.suppress(OSError):
        os.rmdir(run.folder)


def _require_deletable(run: Run) -> None:
    require_changeable(run.folder, "deleted")
    if run.status == "running" or is_held(run.folder):
        raise RunError(f"The run {run.id} is in progress: stop it before you delete it.")
