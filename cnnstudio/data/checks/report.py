"""What a check found, kept beside the data sets, so that it is there when the data set is opened again.

One report for the images of a data set, however their labels are corrected: most findings are about pixels.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import keep_json, read_json
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.versions.version import is_version_id

_FORMAT, _VERSION = "cnnstudio.check", 1
_MAX_BYTES = 2**28
_MAX_KEPT = 20
"""Reports; the oldest ones go."""


@dataclass(frozen=True)
class Across:
    """An image of the test or validation set that is in training as well."""

    file: str
    split: str
    train_file: str
    score: float
    exact: bool
    mirrored: bool


@dataclass(frozen=True)
class CheckReport:
    """The findings by the names of the files; see `check.CheckedImages`."""

    version: str = ""
    """The version of the data set that was checked."""
    exact: tuple[tuple[str, ...], ...] = ()
    near: tuple[tuple[str, str, float, bool], ...] = ()
    """(file, file, score, whether one is mirrored)."""
    across: tuple[Across, ...] = ()
    inflation: dict[str, float] = field(default_factory=dict)
    """By split: the share of its images that may be right because they were memorized."""
    quality: tuple[tuple[str, str], ...] = ()
    """(file, what is wrong with it)."""
    leaks: tuple[tuple[str, str, float], ...] = ()
    """(class, by what it can be told, how well)."""
    skipped: tuple[str, ...] = ()
    has_all_pairs: bool = True
    """Whether look-alikes were looked for within the splits too."""
    seconds: float = 0.0
    """How long the check took."""


def report_of(
    found: dict[str, Any], version: str, *, has_all_pairs: bool, seconds: float = 0.0
) -> CheckReport:
    """The report of what `CheckedImages.to_json` tells. Raises ValueError for anything else."""
    try:
        duplicates = found["duplicates"]
        return CheckReport(
            str(version),
            tuple(tuple(map(str, group)) for group in duplicates["exact"] if len(group) > 1),
            tuple(
                (str(each["files"][0]), str(each["files"][1]), float(each["score"]), bool(each["mirrored"]))
                for each in duplicates["near"]
            ),
            tuple(
                Across(
                    *(str(each["file"]), str(each["split"]), str(each["train_file"])),
                    *(float(each["score"]), bool(each["exact"]), bool(each["mirrored"])),
                )
                for each in duplicates["across_splits"]
            ),
            {str(part): float(share) for part, share in found["inflated_accuracy"].items()},
            tuple((str(each["file"]), str(each["issue"])) for each in found["quality"]),
            tuple((str(each["class"]), str(each["by"]), float(each["accuracy"])) for each in found["leaks"]),
            tuple(map(str, found["skipped"])),
            bool(has_all_pairs),
            float(seconds),
        )
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError("not the findings of a check") from error


def write_report(images: str, found: dict[str, Any], report: CheckReport) -> None:
    """Keeps a report for the images of which that is the version without corrections.

    A home that cannot be written is no error: the check is then repeated next time.
    """
    if not is_version_id(images):
        return
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "checked": report.version,
        "all_pairs": report.has_all_pairs,
        "seconds": report.seconds,
        "found": found,
    }
    keep_json(_path(images), content, _MAX_KEPT)


def read_report(images: str) -> CheckReport | None:
    """The report that was kept; None if there is none that can be read."""
    if not is_version_id(images):
        return None
    with suppress(OSError, UserError, ValueError, TypeError, KeyError, AttributeError):
        content: Any = read_json(_path(images), _MAX_BYTES)
        if (content["format"], content["version"]) == (_FORMAT, _VERSION):
            return report_of(
                content["found"],
                content["checked"],
                has_all_pairs=content["all_pairs"],
                seconds=content["seconds"],
            )
    return None


def _path(images: str) -> Path:
    return datasets_folder() / "checks" / f"{images}.json"
