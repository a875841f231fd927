"""The list of data sets of the user's own images, by name."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cnnstudio.core.files import FileError, read_json, write_json
from cnnstudio.core.locking import changing
from cnnstudio.core.parameters import shorten
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.dataset import RESIZE_MODES, DataError, ResizeMode
from cnnstudio.data.images.sizes import AUTOMATIC, Size, size_from_json
from cnnstudio.data.sources.folder_layout import READINGS, Reading
from cnnstudio.data.storage.decoded_cache import cache_key, discard
from cnnstudio.data.versions.split_plan import SplitPlan

_FORMAT = "cnnstudio.folders"
_TABLE = "table"
_written: list[dict[str, RegisteredSet]] = []
"""What this process has written last, if anything."""


class RegisteredSet(NamedTuple):
    """A folder or a table that the user has added."""

    path: Path
    reading: Reading | None = None
    """How the user wants the subfolders of a folder to be understood; None for the most likely way."""
    is_table: bool = False
    plan: SplitPlan = SplitPlan()
    """How test images are held out, if there are none."""
    resize: ResizeMode = "fill"
    """How images of another shape are brought to one size."""
    size: Size = AUTOMATIC
    """The size that all images are brought to."""
    former: tuple[str, ...] = ()
    """The names that it had before, by which runs know it. `register_set` keeps them."""


def registered_sets() -> dict[str, RegisteredSet]:
    """Name -> set. A missing or damaged list counts as empty; `register_set` reports what is wrong."""
    return readable_sets() or {}


def readable_sets() -> dict[str, RegisteredSet] | None:
    """Name -> set; None if the list is damaged."""
    try:
        return _read()
    except (FileError, DataError):
        return None


def list_state() -> tuple[int, ...]:
    """Another one whenever the list has been written; empty if there is none."""
    try:
        state = _path().stat()
    except OSError:
        return ()
    return state.st_mtime_ns, state.st_size, state.st_ino


def last_written() -> Mapping[str, RegisteredSet] | None:
    """The list as this process has written it last; None if it has not.

    A list that is another one was written by another program since.
    """
    return _written[-1] if _written else None


def registered_at(path: Path) -> tuple[str, RegisteredSet] | None:
    """(name, set) of the folder or table at that absolute path; None if it is not in the list."""
    return next((known for known in registered_sets().items() if known[1].path == path), None)


def current_name(former: str) -> str | None:
    """The name that a set has now that once had this one; None if there is none."""
    wanted = former.lower()
    found = (name for name, each in registered_sets().items() if wanted in map(str.lower, each.former))
    return next(found, None)


def register_set(name: str, entry: RegisteredSet, replaces: str | None = None) -> None:
    """Adds a set to the list, in place of the one named `replaces`.

    Raises FileError or DataError rather than overwrite an unreadable list, or another set of that name.
    """
    with changing(_path()):
        known = _read()
        before = name if replaces is None else replaces
        if name in known and known[name].path != entry.path:  # added a moment ago by another program
            raise DataError(f"There is a data set “{shorten(name, 100)}” already: choose another name.")
        names = (*known[before].former, before) if before in known else ()
        entry = entry._replace(former=tuple(each for each in dict.fromkeys(names) if each != name))
        if known.get(name) == entry and replaces is None:
            return
        _write({other: old for other, old in known.items() if other != replaces} | {name: entry})


def unregister_set(name: str) -> None:
    """Removes a set from the list; of its files, only those unpacked from an archive are deleted.

    Raises FileError or DataError.
    """
    with changing(_path()):
        sets = _read()
        entry = sets.pop(name, None)
        if entry is not None:
            _write(sets)
    if entry is not None:
        for kind in ("folder", "corrected", "corrected-earlier"):
            discard(cache_key(kind, str(entry.path)))
        discard(cache_key("fitted", name))
        if (unpacked := _unpacked_below(entry.path)) is not None:
            shutil.rmtree(unpacked, ignore_errors=True)


def unpacked_folder() -> Path:
    """Where archives are unpacked, each into a folder of its own."""
    return datasets_folder() / "unpacked"


def _unpacked_below(path: Path) -> Path | None:
    """The folder of the archive that the set was unpacked from; None for a set that was not."""
    root = unpacked_folder()
    return root / path.relative_to(root).parts[0] if root in path.parents else None


def _write(sets: dict[str, RegisteredSet]) -> None:
    entries = [
        {
            "name": name,
            "path": str(entry.path),
            **({"layout": entry.reading} if entry.reading else {}),
            **({"kind": _TABLE} if entry.is_table else {}),
            **({} if entry.plan.is_default else {"split": entry.plan.to_json()}),
            **({} if entry.resize == "fill" else {"resize": entry.resize}),
            **({} if entry.size == AUTOMATIC else {"size": list(entry.size)}),
            **({"former_names": list(entry.former)} if entry.former else {}),
        }
        for name, entry in sets.items()
    ]
    before = [*_written]
    # Before others can see the new list: whoever does then must know who has written it.
    _written[:] = [sets]
    try:
        write_json(_path(), {"format": _FORMAT, "version": 1, "folders": entries})
    except BaseException:
        _written[:] = before
        raise


def _read() -> dict[str, RegisteredSet]:
    if not _path().exists():
        return {}
    value: Any = read_json(_path())
    try:
        return {str(entry["name"]): _entry(entry) for entry in value["folders"]}
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{_path()} is not a list of folders: fix it or delete it.") from error


def _entry(entry: Any) -> RegisteredSet:
    # A layout that only a newer version knows counts as none.
    reading = next((known for known in READINGS if known == entry.get("layout")), None)
    plan = SplitPlan.from_json(entry["split"]) if "split" in entry else SplitPlan()
    resize: ResizeMode = next((known for known in RESIZE_MODES if known == entry.get("resize")), "fill")
    size = size_from_json(entry.get("size"))
    former = tuple(map(str, entry.get("former_names", ())))
    return RegisteredSet(
        Path(entry["path"]), reading, entry.get("kind") == _TABLE, plan, resize, size, former
    )


def _path() -> Path:
    return datasets_folder() / "folders.json"
