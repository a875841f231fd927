"""Where the user's data lives: one folder with `datasets` and `runs` in it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """`$CNNSTUDIO_HOME` where it is set, else the place that the system gives each user's programs for data.

    Asked anew at every call, and nothing is created: whoever writes makes the folder.
    """
    chosen = os.environ.get("CNNSTUDIO_HOME")
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    return Path(platformdirs.user_data_dir("cnnstudio", appauthor=False))


def datasets_folder() -> Path:
    """Where data sources keep what they brought or made."""
    return home() / "datasets"
