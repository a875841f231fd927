"""A version of a data set: its images, the corrections of their labels, and the split, in one small file.

The same images with the same corrections and the same split are the same version on every machine, under any
name. A run names the version that it was trained on.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from cnnstudio.core.files import FileError, exists, read_json, write_json
from cnnstudio.core.formatting import format_change, pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.dataset import SPLIT_WORDS, DataError, Dataset, Labels
from cnnstudio.data.images.sizes import order_of
from cnnstudio.data.versions.listed_files import MAX_FILES, has_files

_FORMAT, _VERSION = "cnnstudio.data-version", 1
_MAX_BYTES = 2**28
_DIGITS = 16
_MAX_NAMED = 20
_CONTENT = {
    "other": "The files have the same names and sizes, but some of the images differ.",
    "unknown": "The files have the same names and sizes; whether some have other content is not known.",
}


def version_id(fingerprint: str, corrections: Mapping[str, str | None]) -> str:
    """The version of images with that fingerprint, which covers the split, and those corrections by file."""
    content = json.dumps([fingerprint, sorted(corrections.items())] if corrections else fingerprint)
    return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()[:_DIGITS]


def version_of(dataset: Dataset) -> str:
    """The version of the data set; for one that has no files, of its images alone."""
    return dataset.version or version_id(dataset.fingerprint, {})


def is_version_id(text: str) -> bool:
    """Whether it may be the id of a version."""
    return re.fullmatch(f"[0-9a-f]{{{_DIGITS}}}", text) is not None


def versions_folder() -> Path:
    """Where the versions are described."""
    return datasets_folder() / "versions"


def record_version(
    dataset: Dataset,
    images: str,
    files: Callable[[], Mapping[str, str]],
    split: Any,
    corrections: Mapping[str, str | None],
    labels: Mapping[str, Labels] | None = None,
) -> None:
    """Describes the data set's version, unless that was done. A home that cannot be written is no error.

    `images` is the fingerprint of the images and labels as they are in the files. `files` computes more: of
    the names and sizes (`files`), of the times when they were written (`times`) and of the labels that the
    files have (`labels`); and it keeps the list of the files (`listing`), which a version that was described
    before gets if it has none. `split` is how test images were held out, None where the data set has its own.
    `labels`, int64 (N,) by split, are those with the corrections, if `dataset` does not have them.
    """
    if labels is None:
        labels = {part: each.labels for part, each in dataset.splits.items()}
    path = versions_folder() / f"{dataset.version}.json"
    if exists(path):
        if dataset.image_count <= MAX_FILES:
            _complete(path, files)
        return
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "id": dataset.version,
        "name": dataset.name,
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "classes": list(dataset.classes),
        "splits": {
            part: np.bincount(each, minlength=len(dataset.classes)).tolist() for part, each in labels.items()
        },
        "images": images,
        **files(),
        **({} if dataset.resize == "fill" else {"resize": dataset.resize}),
        "size": list(dataset.shape[1:]),
        "split": split,
        "corrections": dict(corrections),
    }
    _write(path, content)


def _complete(path: Path, files: Callable[[], Mapping[str, str]]) -> None:
    """Gives a version the list of its files: earlier ones had none, and of many lists the oldest go."""
    with suppress(DataError, FileError):
        content = _read(path)
        if not has_files(content.get("listing")):
            about = files()
            # Equal images may be in other files by now, of which nothing was noted.
            if about["files"] == content.get("files") and "listing" in about:
                _write(path, {**content, **about})


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with suppress(FileError):
        write_json(path, {**content, "sha256": _digest(content)})


def read_version(wanted: str) -> dict[str, Any]:
    """The description of the version with that id, or with an id that begins like that. Raises DataError."""
    found = []
    if re.fullmatch(f"[0-9a-f]{{4,{_DIGITS}}}", wanted):
        found = sorted(versions_folder().glob(f"{wanted}*.json"))
    if len(found) != 1:
        known = ", ".join(each["id"] for each in list_versions()[:3]) or "none yet"
        what = "More than one version begins with" if found else "There is no version"
        raise DataError(f"{what} “{shorten(wanted, 50)}” of a data set (most recent: {known}).")
    return _read(found[0])


def list_versions(name: str | None = None) -> list[dict[str, Any]]:
    """The readable descriptions of all versions, or of those of the data set with that name; newest first."""
    found = []
    with suppress(OSError):
        for path in versions_folder().glob("*.json"):
            with suppress(DataError, FileError):
                version = _read(path)
                if name in (None, version["name"]):
                    found.append(version)
    return sorted(found, key=lambda version: str(version["created"]), reverse=True)


def _read(path: Path) -> dict[str, Any]:
    content: Any = read_json(path, _MAX_BYTES)
    if not isinstance(content, dict) or content.pop("sha256", None) != _digest(content):
        raise DataError(f"{path} is damaged: delete it; it is written anew when the data set is used.")
    return content


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def compare_versions(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What differs between two versions.

    `same`, `files`, `labels`, `resize`, `size`, `pixels`, `split`, `counts` and `corrections`. `content` is
    whether the images in files of the same names and sizes are the "same", "other" ones or "unknown".
    """
    old, new = before["corrections"], after["corrections"]
    changed = {
        file: [old.get(file, False), new.get(file, False)]
        for file in sorted({*old, *new})
        if (file in old, old.get(file)) != (file in new, new.get(file))
    }
    counts = {}
    for part in {**before["splits"], **after["splits"]}:
        one, other = (_by_class(version, part) for version in (before, after))
        differences = {name: other.get(name, 0) - one.get(name, 0) for name in {**one, **other}}
        counts[part] = {name: change for name, change in differences.items() if change}
    found = {
        "same": before["id"] == after["id"],
        "files": before["files"] != after["files"],
        # Earlier versions did not note the labels: then they may be what differs.
        "labels": before.get("labels") != after.get("labels"),
        "resize": before.get("resize") != after.get("resize"),
        # Earlier versions did not note the size either: it is then not said to differ.
        "size": before.get("size", after.get("size")) != after.get("size", before.get("size")),
        "pixels": before["images"] != after["images"] and before.get("labels") == after.get("labels"),
        "split": before["split"] != after["split"],
        "counts": {part: changes for part, changes in counts.items() if changes},
        "corrections": changed,
    }
    return {**found, "content": _compare_content(before, after, found)}


def _compare_content(before: Mapping[str, Any], after: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if before["images"] == after["images"]:
        return "same"
    # The images are known as they were split, labeled and resized: if that differs, so do they.
    if not any(found[each] for each in ("files", "labels", "split", "resize", "size")):
        return "other"
    times = before.get("times"), after.get("times")
    return "same" if times[0] == times[1] and None not in times else "unknown"


def _by_class(version: Mapping[str, Any], part: str) -> dict[str, int]:
    return dict(zip(version["classes"], version["splits"].get(part, ()), strict=False))


def describe_difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The same as sentences."""
    found = compare_versions(before, after)
    lines = describe_sets(before, after, found)
    changed = found["corrections"]
    if changed:
        named = [f"{file}: {_label(one)} → {_label(other)}" for file, (one, other) in changed.items()]
        lines.append(f"{pluralize(len(changed), 'correction')} differ{'s' * (len(changed) == 1)}:")
        lines += [f"  {line}" for line in named[:_MAX_NAMED]]
        lines += [f"  …{_more(len(changed))}"] * (len(changed) > _MAX_NAMED)
    return lines


def describe_sets(
    before: Mapping[str, Any], after: Mapping[str, Any], found: Mapping[str, Any], *, by_file: bool = False
) -> list[str]:
    """What `compare_versions` has found as sentences, without single images.

    `by_file`: whether these are compared as well, so that it is known what differs about the files.
    """
    if found["same"]:
        return ["Both are the same version."]
    lines = []
    if found["files"] or found["labels"]:
        what = "The image files differ." if found["files"] else "The same files have other labels or classes."
        lines += [] if by_file else [what]
    elif found["pixels"] and found["content"] in _CONTENT:
        lines.append(_CONTENT[found["content"]])
    if found["resize"]:
        how = [str(each.get("resize", "fill")) for each in (before, after)]
        lines.append(f"Images are resized in another way: {how[0]} → {how[1]}.")
    if found["size"]:
        sizes = [" × ".join(map(str, each["size"])) for each in (before, after)]
        order = order_of((before["size"], after["size"]))
        lines.append(f"Images are resized to another size: {sizes[0]} → {sizes[1]}{order}.")
    if found["split"]:
        lines.append("The test images were chosen in another way.")
    for part, changes in found["counts"].items():
        shown = list(changes.items())[:_MAX_NAMED]
        named = [f"{shorten(name, 50)} {format_change(change)}" for name, change in shown]
        split = SPLIT_WORDS.get(part, shorten(part, 50)).capitalize()
        lines.append(f"{split} images: {', '.join(named)}{_more(len(changes))}.")
    return lines


def _label(value: Any) -> str:
    return "as in the files" if value is False else "excluded" if value is None else shorten(str(value), 50)


def _more(count: int) -> str:
    return f" and {count - _MAX_NAMED:,} more" if count > _MAX_NAMED else ""
