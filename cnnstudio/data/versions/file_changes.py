"""What differs between two versions of a data set, file by file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal, get_args

from cnnstudio.core.formatting import format_count, pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.data.dataset import SPLIT_WORDS
from cnnstudio.data.versions.listed_files import ListedFile, read_files

Kind = Literal["added", "removed", "label", "excluded", "included", "split", "moved", "content"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_AS_IN_FILES = "as in the files"
_MAX_NAME = 200

_HEADINGS: Mapping[Kind, tuple[str, str]] = {
    # For one image, and for more.
    "added": ("image was added", "images were added"),
    "removed": ("image was removed", "images were removed"),
    "label": ("label changed", "labels changed"),
    "excluded": ("image is excluded now", "images are excluded now"),
    "included": ("image is no longer excluded", "images are no longer excluded"),
    "split": ("image is in another split", "images are in other splits"),
    "moved": ("file is in another folder", "files are in other folders"),
    "content": ("file has another size", "files have other sizes"),
}


@dataclass(frozen=True)
class FileChange:
    """What is different about one image."""

    kind: Kind
    file: str
    """Its name in the later version; of a removed image, in the earlier one."""
    text: str
    """`cat → dog`, or where an added or removed image belongs."""

    def __str__(self) -> str:
        return f"{shorten(self.file, _MAX_NAME)}: {self.text}"


@dataclass(frozen=True)
class FileChanges:
    """All of them, by kind, each sorted by name."""

    by_kind: Mapping[Kind, Sequence[FileChange]]
    are_known: bool
    """Whether both versions say which files they have; otherwise only corrections are compared."""

    def __bool__(self) -> bool:
        return any(self.by_kind.values())

    def heading(self, kind: Kind) -> str:
        """`2 images were added`."""
        count = len(self.by_kind[kind])
        return f"{format_count(count)} {_HEADINGS[kind][count != 1]}"

    def lines(self, limit: int, kinds: Sequence[Kind] = KINDS) -> Iterator[str]:
        """Headings, each with at most `limit` images."""
        for kind in kinds:
            found = self.by_kind.get(kind, ())
            if found:
                yield f"{self.heading(kind)}:"
                yield from (f"  {each}" for each in found[:limit])
                if len(found) > limit:
                    yield f"  … and {pluralize(len(found) - limit, 'more image')}"


def compare_files(before: Mapping[str, Any], after: Mapping[str, Any]) -> FileChanges:
    """What differs between the images of two versions, as `read_version` gives them."""
    found = [read_files(each.get("listing")) for each in (before, after)]
    first, second = found
    changes: list[FileChange] = []
    if first is None or second is None:
        changes += _correction_changes({}, {}, before["corrections"], after["corrections"])
    else:
        renamed = _renamed(first, second)
        old = {renamed.get(name, name): each for name, each in first.items()}
        corrections = {renamed.get(name, name): label for name, label in before["corrections"].items()}
        origins = {new: name for name, new in renamed.items()}
        changes += _presence_changes(old, second, corrections, after["corrections"])
        labels = list(_correction_changes(old, second, corrections, after["corrections"]))
        changes += labels
        changes += _place_changes(old, second, origins, {change.file for change in labels})
    kinds: dict[Kind, list[FileChange]] = {kind: [] for kind in KINDS}
    for change in changes:
        kinds[change.kind].append(change)
    by_kind = {kind: sorted(each, key=lambda change: change.file) for kind, each in kinds.items() if each}
    return FileChanges(by_kind, first is not None and second is not None)


def _renamed(first: Mapping[str, ListedFile], second: Mapping[str, ListedFile]) -> dict[str, str]:
    """The files that were moved to another folder: name before -> name after.

    The folders of a data set are its classes and splits, so that moving a file is how its label is corrected
    or its split changed. Files of the same name and size are the same if there is only one such pair.
    """
    pairs = [_by_base(one, other) for one, other in ((first, second), (second, first))]
    gone, new = pairs
    return {
        names[0]: new[key][0]
        for key, names in gone.items()
        if len(names) == 1 and len(new.get(key, ())) == 1 and key[1] >= 0
    }


def _by_base(
    these: Mapping[str, ListedFile], others: Mapping[str, ListedFile]
) -> dict[tuple[str, int], list[str]]:
    found: dict[tuple[str, int], list[str]] = {}
    for name, each in these.items():
        if name not in others:
            found.setdefault((os.path.basename(name), each.size), []).append(name)
    return found


def _presence_changes(
    first: Mapping[str, ListedFile],
    second: Mapping[str, ListedFile],
    old: Mapping[str, str | None],
    new: Mapping[str, str | None],
) -> Iterator[FileChange]:
    """Images that only one version has, where they belong with its corrections."""
    for name in second.keys() - first.keys():
        yield FileChange("added", name, _place(second[name], new.get(name, second[name].label)))
    for name in first.keys() - second.keys():
        yield FileChange("removed", name, _place(first[name], old.get(name, first[name].label)))


def _correction_changes(
    first: Mapping[str, ListedFile],
    second: Mapping[str, ListedFile],
    old: Mapping[str, str | None],
    new: Mapping[str, str | None],
) -> Iterator[FileChange]:
    """Labels and exclusions; of files that are not known, those that corrections change."""
    for name in (first.keys() & second.keys()) | ((old.keys() | new.keys()) - first.keys() - second.keys()):
        one = old[name] if name in old else first[name].label if name in first else _AS_IN_FILES
        other = new[name] if name in new else second[name].label if name in second else _AS_IN_FILES
        if one == other:
            continue
        if other is None:
            yield FileChange("excluded", name, f"was {shorten(str(one), _MAX_NAME)}")
        elif one is None:
            yield FileChange("included", name, f"is {shorten(other, _MAX_NAME)}")
        else:
            yield FileChange("label", name, f"{shorten(one, _MAX_NAME)} → {shorten(other, _MAX_NAME)}")


def _place_changes(
    first: Mapping[str, ListedFile],
    second: Mapping[str, ListedFile],
    origins: Mapping[str, str],
    relabeled: Set[str],
) -> Iterator[FileChange]:
    for name in first.keys() & second.keys():
        one, other = first[name], second[name]
        if one.split != other.split:
            came = f", was {shorten(origins[name], _MAX_NAME)}" if name in origins else ""
            yield FileChange("split", name, f"{_split(one)} → {_split(other)}{came}")
        elif name in origins and name not in relabeled:  # whose other folder says nothing more
            yield FileChange("moved", name, f"was {shorten(origins[name], _MAX_NAME)}")
        # -1 of a file that was gone is no size.
        if one.size != other.size and min(one.size, other.size) >= 0:
            yield FileChange("content", name, f"{one.size:,} → {other.size:,} bytes")


def _place(file: ListedFile, label: str | None) -> str:
    return f"{'excluded' if label is None else shorten(label, _MAX_NAME)}, {_split(file)}"


def _split(file: ListedFile) -> str:
    return SPLIT_WORDS.get(file.split, shorten(file.split, _MAX_NAME))
