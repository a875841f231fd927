"""Where the program's own images, templates and style sheets lie."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resources_folder() -> Path:
    """The folder of all resources: inside the package once installed, beside it in the source tree."""
    installed = _PACKAGE / "_resources"
    return installed if installed.is_dir() else _PACKAGE.parent / "resources"


def resource(relative: str) -> Path:
    """The path of one resource, as `resource("icons/conv2d.svg")`.

    Raises FileNotFoundError where there is none of that name: a spoilt installation, never a user's mistake.
    """
    path = resources_folder() / relative
    if not path.exists():
        raise FileNotFoundError(f"The program's own file {relative} is missing from {resources_folder()}")
    return path
