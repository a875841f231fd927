"""The versions of a data set and what differs between two of them, for any thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import join_words, pluralize
from cnnstudio.core.progress import CancelFunction, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import Pixels
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_list import registered_at
from cnnstudio.data.versions.file_changes import KINDS, FileChange, compare_files
from cnnstudio.data.versions.listed_files import MAX_FILES
from cnnstudio.data.versions.version import compare_versions, describe_sets, list_versions
from cnnstudio.gui.widgets.qimage import to_qimage

FindImage = Callable[[str], Pixels | None]
"""The image in the file of that name, uint8 (C, H, W); None if it is not in the set now. For any thread."""

THUMBNAIL = 36
MAX_SHOWN = 200
"""Images of each kind of change that are listed; the rest is counted."""
_MAX_COPIED = 10_000
_MAX_VERSIONS = 500
_DIGITS = 8
_UNKNOWN_FILES = (
    "Which files one of these versions had is not kept, so that only the numbers of images and the "
    "corrections are compared."
)
_TOO_MANY = (
    f"Sets of more than {MAX_FILES:,} images are compared by the numbers of images and the corrections."
)


@dataclass(frozen=True)
class KnownVersions:
    """Those of one data set."""

    versions: Sequence[Mapping[str, Any]]
    """Newest first."""
    current: str = ""
    """The id of the one that the images are now; empty if that is not known."""
    problem: str = ""
    """Why it is not known."""

    def title(self, number: int) -> str:
        """`Now · 1,200 images · 3 corrections · 3f9a1b2c`."""
        version = self.versions[number]
        when = str(version["created"])[:16].replace("T", " ")
        count = sum(sum(counts) for counts in version["splits"].values())
        parts = ["Now" if version["id"] == self.current else when, pluralize(count, "image")]
        if version["corrections"]:
            parts.append(pluralize(len(version["corrections"]), "correction"))
        return " · ".join([*parts, str(version["id"])[:_DIGITS]])


@dataclass(frozen=True, eq=False)
class Difference:
    """What is shown of two versions."""

    summary: str
    rows: Sequence[str | FileChange]
    """Sentences, then the images below the heading of their change."""
    headings: frozenset[int] = frozenset()
    """Which rows are such headings."""
    text: str = ""
    """All of it, to be copied."""
    thumbnails: Mapping[str, QImage] = field(default_factory=dict)


def find_versions(source: FileSource, progress: ProgressFunction, cancelled: CancelFunction) -> KnownVersions:
    """The versions that were used, also under former names, and that of now. Raises Cancelled."""
    current, problem = "", ""
    try:
        current = source.record_current_version(progress, cancelled)
    except UserError as error:
        problem = str(error)
    _, entry = registered_at(source.path) or ("", None)
    names = {source.name, *(entry.former if entry is not None else ())}
    found = [each for each in list_versions() if each["name"] in names or each["id"] == current]
    found.sort(key=lambda each: each["id"] != current)
    return KnownVersions(found[:_MAX_VERSIONS], current, problem)


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], find_image: FindImage, cancelled: CancelFunction
) -> Difference:
    """What differs, with thumbnails of the images that are still in the set. Raises Cancelled."""
    found, files = compare_versions(before, after), compare_files(before, after)
    raise_if_cancelled(cancelled)
    sentences = describe_sets(before, after, found, by_file=files.are_known)
    if not files.are_known and not found["same"]:
        counts = (sum(map(sum, each["splits"].values())) for each in (before, after))
        sentences.append(_TOO_MANY if max(counts) > MAX_FILES else _UNKNOWN_FILES)
    rows: list[str | FileChange] = list(sentences)
    headings, images = set[int](), list[str]()
    for kind in KINDS:
        changes = files.by_kind.get(kind, ())
        if not changes:
            continue
        headings.add(len(rows))
        rows.append(files.heading(kind))
        rows += changes[:MAX_SHOWN]
        images += [each.file for each in changes[:MAX_SHOWN] if kind != "removed"]
        if len(changes) > MAX_SHOWN:
            rows.append(f"and {pluralize(len(changes) - MAX_SHOWN, 'more image')}")
    if found["same"]:
        summary, rows = sentences[0], []
    elif files:
        summary = f"{join_words([files.heading(kind) for kind in KINDS if kind in files.by_kind])}."
    elif not files.are_known:
        summary = "The two versions differ."
    elif found["content"] == "other":
        # Without the content of the files, which is not kept, it is not known which.
        summary = "Some of the images differ."
    else:
        summary = "The files have the same names, sizes and labels."
    lines = [*(sentences if not found["same"] else [summary]), *files.lines(_MAX_COPIED)]
    return Difference(
        summary, rows, frozenset(headings), "\n".join(lines), _thumbnails(images, find_image, cancelled)
    )


def _thumbnails(files: Sequence[str], find_image: FindImage, cancelled: CancelFunction) -> dict[str, QImage]:
    found = {}
    for file in dict.fromkeys(files):
        raise_if_cancelled(cancelled)
        pixels = find_image(file)
        if pixels is not None:
            found[file] = to_qimage(pixels).scaled(
                *(2 * THUMBNAIL, 2 * THUMBNAIL),
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
    return found
