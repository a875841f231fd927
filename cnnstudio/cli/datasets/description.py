"""What a data set was understood to be, as text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from cnnstudio.cli.output import two_columns
from cnnstudio.core.formatting import as_printed, format_bytes, format_percent, list_names, pluralize
from cnnstudio.data.images.sizes import format_size, order_of

_PARTS = (("train", "Training"), ("validation", "Validation"), ("test", "Test"))
_MAX_CLASSES = 1_000
_MAX_SKIPPED = 5
_RESIZED = {
    "fill": "what has another shape is cropped",
    "fit": "what has another shape gets black edges",
    "stretch": "what has another shape is distorted",
}


def state_of(entry: dict[str, Any]) -> str:
    """Whether it can be used."""
    if entry["available"]:
        return "ready"
    if entry.get("downloaded_bytes"):
        return (
            f"{format_bytes(entry['downloaded_bytes'])} of {format_bytes(entry['download_bytes'])} downloaded"
        )
    return "not downloaded" if entry["can_download"] else "missing"


def describe(entry: dict[str, Any]) -> str:
    """The facts of `Source.checked_info` in two columns."""
    rows = [("Name", entry["name"]), ("Title", entry["title"]), ("Description", entry["description"])]
    rows.append(("State", entry.get("problem") or state_of(entry)))
    rows += [(key.capitalize(), entry[key]) for key in ("license", "citation", "homepage") if key in entry]
    return two_columns([*rows, *content_rows(entry)])


def content_rows(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is in it."""
    for key in ("folder", "table"):
        if key in entry:
            yield key.capitalize(), entry[key]
    if "classes" in entry:
        counts = entry.get("counts", {})
        names = [f"{name} ({counts[name]:,})" if name in counts else name for name in entry["classes"]]
        yield "Classes", f"{len(names):,}: {list_names(names, _MAX_CLASSES)}"
    for part, label in _PARTS:
        if entry.get(part) is not None:
            yield label, pluralize(entry[part], "image")
    if "split" in entry:
        share = format_percent(entry["split"]["share"])
        yield "Test", f"{share} of each class, held out from the training images"
    if entry.get("sizes"):
        yield "Sizes", _sizes(entry["sizes"])
    if "decoded" in entry or "size" in entry:
        yield "Resized to", _decoded(entry)
    if "resize" in entry:
        yield "Resized by", f"{entry['resize']} ({_RESIZED[entry['resize']]})"
    if entry.get("unreadable"):
        yield "Unreadable", f"{pluralize(entry['unreadable'], 'file')}, not counted: {_skipped(entry)}"


def _decoded(entry: dict[str, Any]) -> str:
    """The size that all images get, and what they take then."""
    decoded = entry.get("decoded", {})
    height, width = decoded.get("size") or entry["size"]
    how = "as chosen" if "size" in entry else "the images decide"
    takes = f", {format_bytes(decoded['bytes'])} in memory and in the image cache" if decoded else ""
    return f"{format_size((height, width))}, {how}{takes}"


def _sizes(sizes: Sequence[Sequence[int]]) -> str:
    """`sizes` are (width, height, number of images), the most common first."""
    found = [(height, width) for width, height, _ in sizes]
    if len(found) == 1:
        return format_size(found[0])
    ordered = sorted(found, key=prod)
    named = ordered[0], ordered[-1], found[0]
    least, most, usual = (f"{height} × {width}" for height, width in named)
    return f"from {least} to {most}, most often {usual}{order_of(named)}"


def _skipped(entry: dict[str, Any]) -> str:
    named = [f"{each['file']} ({each['reason'].rstrip('.')})" for each in entry["skipped"][:_MAX_SKIPPED]]
    left = entry["unreadable"] - len(named)
    return ", ".join(named) + (f" and {left:,} more" if left > 0 else "")


def notes_of(entry: dict[str, Any]) -> list[str]:
    """Sentences about a data set, and the other ways in which a folder can be added."""
    notes = [*entry.get("notes", ())]
    for reading, meaning in entry.get("layouts", {}).items():
        notes.append(
            f"cnnstudio data add {shlex.quote(as_printed(entry['folder']))} --layout {reading}: {meaning}."
        )
    for folder in entry.get("unlabeled", ()):
        named = shlex.quote(as_printed(folder))
        notes.append(f"To classify the images without classes: cnnstudio predict RUN {named} --out FILE.csv")
    return notes
