"""Deletes a run: moves it to the system's trash, or deletes its files for good."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from cnnstudio.core.files import remove_abandoned_files
from cnnstudio.runs.archive.opened import require_changeable
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.label import LABEL_FILE
from cnnstudio.runs.run import DESIGN_FILE, EVENTS_FILE, RECIPE_FILE, RUN_FILE, Run

# `run.json` goes last: if deleting fails before, what is left is still a run that can be named and deleted.
_OWN_FILES = (
    *("checkpoints", "snapshots", "weights", EVENTS_FILE, LABEL_FILE, RECIPE_FILE, DESIGN_FILE, "lock"),
    RUN_FILE,
)


class NoTrashError(RunError):
    """There is no trash for that folder; the run can only be deleted for good."""


def trash_run(run: Run) -> None:
    """Moves the run to the system's trash: its folder, or only its own files if others are in it.

    Raises NoTrashError if there is none, and RunError for a run in progress or from a zip file.
    """
    _require_deletable(run)
    for name in _OWN_FILES:
        remove_abandoned_files(run.folder, name)
    try:
        for path in _what_to_trash(run.folder):
            _send_to_trash(path)
    except Exception as error:
        # The library raises whatever the system's own functions do, on each system something else.
        reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise NoTrashError(f"The run {run.id} cannot be moved to the trash{reason}.") from None


def _what_to_trash(folder: Path) -> list[Path]:
    names = os.listdir(folder)
    # A link leads to a folder elsewhere, in which there may be anything.
    if folder.is_symlink() or set(names) - set(_OWN_FILES):
        return [folder / name for name in _OWN_FILES if name in names]
    return [folder]


def _send_to_trash(path: Path) -> None:
    from send2trash import send2trash

    send2trash(os.fspath(path))


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
    if run.status == "running":
        raise RunError(f"The run {run.id} is in progress: stop it before you delete it.")
