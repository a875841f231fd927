"""Two programs that change a file of the user at once do not write over each other's changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.core.files import read_json
from cnnstudio.data.sources.folder_list import RegisteredSet, register_set, registered_sets
from cnnstudio.runs.epochs.thresholds import choose_threshold, thresholds_file
from cnnstudio.runs.library.label import change_label, read_label


def _choose_threshold(folder: Path) -> Iterable[str]:
    choose_threshold(folder, None, 0.5)
    return (Path(each["run"]).name for each in read_json(thresholds_file())["thresholds"])


def _register(folder: Path) -> Iterable[str]:
    register_set(folder.name, RegisteredSet(folder))
    return registered_sets()


def _label(folder: Path) -> Iterable[str]:
    changes = {"first": {"title": "first"}, "second": {"note": "second"}}
    folder.parent.mkdir(exist_ok=True)
    change_label(folder.parent, **changes.get(folder.name, {}))
    label = read_label(folder.parent)
    return label.title, label.note


@pytest.mark.parametrize("change", [_choose_threshold, _register, _label])
def test_what_both_write_is_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], Iterable[str]]
) -> None:
    """The second one begins when the first one has read the file and is about to write it."""
    other = threading.Thread(target=change, args=(home / "second",))
    replace = os.replace

    def replace_later(*paths: Any) -> None:
        if other.ident is None:
            other.start()
            # It ends meanwhile if nothing keeps it waiting.
            other.join(0.5)
        replace(*paths)

    monkeypatch.setattr(os, "replace", replace_later)
    change(home / "first")
    other.join()
    assert {"first", "second"} <= set(change(home / "third"))
