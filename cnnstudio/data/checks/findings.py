"""What a check found, as lists of images to review, each with the reason why it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cnnstudio.core.formatting import format_percent
from cnnstudio.data.checks.report import Across, CheckReport
from cnnstudio.data.versions.review import Neighbor, ReviewItem

_QUALITY = {
    "dark": ("Dark", "Very dark: even its brightest parts are dark."),
    "bright": ("Bright", "Very bright: even its darkest parts are bright."),
    "blurry": ("Blurry", "Much less sharp than most images of the set."),
    "empty": ("Empty", "One color all over."),
}
_MAX_NEIGHBORS = 4


@dataclass(frozen=True)
class Place:
    """Where an image is in the data set, and the class that it has now."""

    split: str
    row: int
    label: str


@dataclass(frozen=True)
class Finding:
    """All images that one check has found."""

    key: str
    title: str
    items: tuple[ReviewItem, ...]
    consequence: str = ""
    """What it means for a training, a sentence; empty where that is plain."""


Locate = Callable[[str], Place | None]
"""File name -> its place; None for an image that is not in the data set any more."""


def findings(report: CheckReport, locate: Locate) -> list[Finding]:
    """Every check with what it found, also those that found nothing."""
    quality = {key: [(file, "") for file, issue in report.quality if issue == key] for key in _QUALITY}
    odd = [(file, issue) for file, issue in report.quality if issue not in _QUALITY]
    return [
        Finding("across", _across_title(report), tuple(_across(report.across, locate)), _inflation(report)),
        Finding("exact", "Equal images", tuple(_exact(report.exact, locate))),
        Finding("near", "Look-alikes", tuple(_near(report, locate))),
        *(
            Finding(key, title, tuple(_flawed(quality[key], reason, locate)))
            for key, (title, reason) in _QUALITY.items()
        ),
        Finding("odd", "Odd size", tuple(_flawed(odd, "", locate))),
    ]


def _across_title(report: CheckReport) -> str:
    splits = {each.split for each in report.across}
    return f"Duplicates in {splits.pop()}" if len(splits) == 1 else "Duplicates across splits"


def _inflation(report: CheckReport) -> str:
    shares = [(part, share) for part, share in report.inflation.items() if share]
    return " ".join(
        f"Up to {format_percent(share)} of {part} accuracy may come from images that the network has seen in "
        "training."
        for part, share in shares
    )


def _item(
    file: str,
    reason: str,
    locate: Locate,
    others: Iterable[tuple[str, float]] = (),
    score: float | None = None,
) -> Iterator[ReviewItem]:
    """The item, unless the image is gone; neighbors that are gone are left out."""
    place = locate(file)
    if place is None:
        return
    near = []
    for other, similarity in others:
        found = locate(other)
        if found is not None:
            near.append(Neighbor(other, found.label, similarity, found.split, found.row))
    labels = {each.label for each in near}
    suggested = next(iter(labels)) if len(labels) == 1 and place.label not in labels else None
    yield ReviewItem(
        file, place.label, suggested, score, reason, tuple(near[:_MAX_NEIGHBORS]), place.split, place.row
    )


def _across(found: Iterable[Across], locate: Locate) -> Iterator[ReviewItem]:
    for each in found:
        place = locate(each.train_file)
        if place is None:
            continue
        how = "Equal to" if each.exact else "Looks mirrored like" if each.mirrored else "Looks like"
        reason = f"{how} the {_SPLITS.get(place.split, place.split)} image {each.train_file}."
        yield from _item(each.file, reason, locate, [(each.train_file, each.score)], each.score)


_SPLITS = {"train": "training"}


def _exact(groups: Iterable[tuple[str, ...]], locate: Locate) -> Iterator[ReviewItem]:
    """All images of a group but the first, which may stay."""
    for group in groups:
        present = [file for file in group if locate(file) is not None]
        for file in present[1:]:
            others = [(other, 1.0) for other in present if other != file]
            yield from _item(file, f"Equal to {present[0]}.", locate, others)


def _near(report: CheckReport, locate: Locate) -> Iterator[ReviewItem]:
    for first, second, score, is_mirrored in report.near:
        if locate(first) is not None:
            how = "Looks mirrored like" if is_mirrored else "Looks like"
            yield from _item(second, f"{how} {first}.", locate, [(first, score)], score)


def _flawed(found: Iterable[tuple[str, str]], reason: str, locate: Locate) -> Iterator[ReviewItem]:
    for file, issue in found:
        yield from _item(file, reason or f"{issue[:1].upper()}{issue[1:]}.", locate)
