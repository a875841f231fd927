"""Paths of the images, templates and style sheets that ship with the program."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resources_folder() -> Path:
    """The folder of all resources: inside the package when installed, beside it in the source tree."""
    installed = _PACKAGE / "_resources"
    return installed if installed.is_dir() else _PACKAGE.parent / "resources"


def resource(relative: str) -> Path:
    """The path of one resource: `resource("icons/conv2d.svg")`.

    Raises FileNotFoundError if it does not exist: a broken installation, never a user's mistake.
    """
    path = resources_folder() / relative
    if not path.exists():
        raise FileNotFoundError(f"{relative} is missing from {resources_folder()}: reinstall CNN Studio")
    return path
