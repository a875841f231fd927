"""Where runs are: their folder, the name of a new one, and how one is found again."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from datetime import datetime
from itertools import count
from pathlib import Path

from cnnstudio.core.files import exists
from cnnstudio.core.formatting import as_printed
from cnnstudio.core.parameters import shorten
from cnnstudio.core.paths import home
from cnnstudio.runs.archive.unpacking import is_archive, open_archive
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import RUN_FILE, Run
from cnnstudio.training.distributed.ranks import launch_id


def runs_folder() -> Path:
    """The default folder for runs."""
    return home() / "runs"


def new_folder(name: str, parent: Path, seed: int | None = None) -> Path:
    """A path that does not exist yet, such as `20261123-014500-lesson-cnn`.

    With a seed it is `20261123-014500-lesson-cnn-seed-3`.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:40].strip("-") or "run"
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{slug}{'' if seed is None else f'-seed-{seed}'}"
    numbered = (parent / (f"{stem}-{number}" if number > 1 else stem) for number in count(1))
    return next(folder for folder in numbered if not folder.exists())


def list_runs(folder: Path | None = None) -> list[Run]:
    """All readable runs, newest first."""
    found = []
    with contextlib.suppress(OSError):
        for path in (folder or runs_folder()).iterdir():
            with contextlib.suppress(RunError):
                run = Run.open(path)
                run.validate()
                found.append((run.created.timestamp(), run.id, run))
    return [run for _, _, run in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def launched_run(folder: Path | None, seed: int) -> Path | None:
    """The folder of the run that this launch of several processes has created; None if it has not yet.

    When torchrun restarts the processes, they use it to continue their own run instead of creating another
    one.
    """
    if folder is not None:
        return folder if exists(folder / RUN_FILE) else None
    for run in list_runs():
        if (run.metadata.get("launch"), run.metadata.get("seed")) == (launch_id(), seed):
            return run.folder
    return None


def find_run(id_or_folder: str | Path) -> Run:
    """The run with that id, in that folder or in that zip file. Raises RunError.

    A zip file is unpacked into the user's home, once.
    """
    path = Path(id_or_folder)
    if is_archive(path):
        return Run.open(open_archive(path))
    if exists(path / RUN_FILE):
        return Run.open(path)
    if path.name == str(id_or_folder) and exists(runs_folder() / path / RUN_FILE):
        return Run.open(runs_folder() / path)
    runs = list_runs()
    for run in runs:
        if as_printed(run.id) == str(id_or_folder):
            return run
    known = ", ".join(run.id for run in runs[:3]) or "none yet"
    raise RunError(
        f"There is no run “{shorten(str(id_or_folder), 200)}”: specify a run's folder, its zip "
        f"file, or the name of a run in {runs_folder()} (most recent: {known})."
    )
