"""Where runs from zip files are unpacked. They are read-only: the zip file would not follow a change."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.core.paths import home
from cnnstudio.runs.errors import RunError


def opened_folder() -> Path:
    """Contains a folder for each zip file that was opened, named after its content."""
    return home() / "opened-runs"


def is_opened(run: Path) -> bool:
    """Whether the run in that folder comes from a zip file."""
    return run.absolute().parent.parent == opened_folder()


def require_changeable(run: Path, what: str) -> None:
    """Raises RunError for a run from a zip file. `what` is not possible with it, such as "resumed"."""
    if is_opened(run):
        raise RunError(
            f"The run {run.name} was opened from a zip file, so it cannot be {what}: unpack the file and "
            "open the folder instead."
        )
