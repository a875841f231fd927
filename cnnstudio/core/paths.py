"""The folder for the user's data, which contains `datasets` and `runs`."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """`$CNNSTUDIO_HOME` if set, else the system's folder for application data of this user.

    Read from the environment at every call. The folder is not created; code that writes into it does that.
    """
    chosen = os.environ.get("CNNSTUDIO_HOME")
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    return Path(platformdirs.user_data_dir("cnnstudio", appauthor=False))


def datasets_folder() -> Path:
    """The folder for downloaded, generated and decoded data sets."""
    return home() / "datasets"
