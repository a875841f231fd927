"""`cnnstudio data check`: what is wrong with a data set."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.command import Parser, UsageError
from cnnstudio.cli.output import LiveLine, echo, print_json
from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import format_percent, list_names, pluralize
from cnnstudio.core.progress import with_time_left

if TYPE_CHECKING:
    from cnnstudio.core.progress import ProgressFunction
    from cnnstudio.data.checks.check import CheckedImages
    from cnnstudio.data.versions.review import ReviewItem

_MAX_SHOWN = 10
_NOT_ASKED = (
    "Label errors are looked for unasked in sets of up to {:,} images only, because in larger ones it "
    "takes minutes: add --label-errors."
)


def add_arguments(parser: Parser) -> None:
    """Declares the arguments of `data check`."""
    parser.add_argument("data", metavar="NAME", help="a name from the list, a folder or a table")
    parser.add_argument(
        "--run", metavar="RUN", help="a run on these classes, which tells what labels may be wrong"
    )
    parser.add_argument(
        "--label-errors",
        action="store_true",
        help="look for wrong labels in a set of more than 5,000 images as well",
    )
    parser.add_argument(
        "--all-pairs",
        action="store_true",
        help="compare all images with each other, in a set of more than 20,000 images as well",
    )


def run_check(options: argparse.Namespace) -> None:
    """Checks the data set and prints what was found. Raises UserError."""
    from cnnstudio.data.checks.check import check_images
    from cnnstudio.data.sources import find_source

    line = LiveLine()
    try:
        checked = check_images(find_source(options.data), line.show_progress, all_pairs=options.all_pairs)
        doubts, notes = _find_doubts(checked, options, line.show_progress)
    finally:
        line.clear()
    if options.json:
        found = [_doubt_to_json(each) for each in doubts]
        print_json({**checked.to_json(), "doubts": found, "notes": notes})
    else:
        echo("\n".join(_text(checked, doubts, notes)))


def _find_doubts(
    checked: CheckedImages, options: argparse.Namespace, progress: ProgressFunction
) -> tuple[list[ReviewItem], list[str]]:
    """What is found, and notes about what was not looked for."""
    from cnnstudio.insight.curation.pretrained_doubts import MAX_IMAGES_UNASKED, find_label_errors

    notes: list[str] = []
    doubts: list[ReviewItem] = []
    if options.run:
        doubts = _doubts_of_run(checked, options.run, progress)
    elif checked.dataset.image_count > MAX_IMAGES_UNASKED and not options.label_errors:
        notes.append(_NOT_ASKED.format(MAX_IMAGES_UNASKED))
    else:
        try:
            doubts = find_label_errors(checked.dataset, checked.files, progress=with_time_left(progress))
        except UserError as error:
            if options.label_errors:
                raise
            notes.append(f"Label errors were not looked for. {error}")
    if not checked.checked_all_pairs:
        notes.append("Look-alikes were looked for between the splits only: --all-pairs compares all images.")
    return doubts, notes


def _doubts_of_run(checked: CheckedImages, run_name: str, progress: ProgressFunction) -> list[ReviewItem]:
    """Labels that the run's best weights contradict, most doubtful first."""
    from cnnstudio.cli.run_data import open_run
    from cnnstudio.data.images.resizing import resize
    from cnnstudio.insight.curation.label_doubts import suspected_label_errors
    from cnnstudio.runs.evaluation_counts import count_test_look

    run, classes = open_run(run_name), checked.dataset.classes
    if run.classes != classes:
        known, found = list_names(run.classes), list_names(classes)
        raise UsageError(f"the run has the classes {known}, but {checked.dataset.title} has {found}")
    channels, height, width = run.network.input.dims
    dataset = resize(checked.dataset, (channels, height, width), progress)
    count_test_look(run, dataset, "label errors", run.best_epoch)
    return suspected_label_errors(run.model(), dataset, checked.files, run.recipe.test_time_flip, progress)


def _doubt_to_json(doubt: ReviewItem) -> dict[str, Any]:
    return {
        "file": doubt.file,
        "label": doubt.label,
        "suggested": doubt.suggested,
        "score": doubt.score,
        "split": doubt.split,
        "reason": doubt.reason,
        "neighbors": [
            {"file": each.file, "label": each.label, "similarity": each.similarity}
            for each in doubt.neighbors
        ],
    }


def _text(checked: CheckedImages, doubts: list[ReviewItem], notes: list[str]) -> Iterator[str]:
    counts = [f"{name} ({count:,})" for name, count in checked.counts.items()]
    images = pluralize(checked.dataset.image_count, "image")
    yield f"{checked.dataset.title}: {images} in {len(counts):,} classes"
    yield list_names(counts, 1_000)
    yield from _section("Skipped, because they cannot be read", checked.skipped)
    yield from _section("In training as well", [_across(each) for each in checked.across_splits])
    for part, share in checked.inflation().items():
        if share:
            yield (
                f"Up to {format_percent(share)} of {part} accuracy may come from images that the network "
                "has seen in training."
            )
    yield from _section("Equal images", [", ".join(group) for group in checked.exact])
    yield from _section("Look-alikes", [_near(each) for each in checked.near])
    issues = Counter(each["issue"].partition(" (")[0] for each in checked.quality)
    summary = ", ".join(f"{count:,} {issue}" for issue, count in issues.most_common())
    yield from _section(
        f"Quality ({summary})", [f"{each['file']}: {each['issue']}" for each in checked.quality]
    )
    yield from _section("Classes that can be told without looking", [_leak(each) for each in checked.leaks])
    yield from _section(
        "Suspected label errors",
        [f"{each.file}: {each.reason}" for each in doubts],
    )
    for note in notes:
        yield f"\nNote: {note}"


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"\n{title}: {len(lines):,}"
        yield from (f"  {line}" for line in lines[:_MAX_SHOWN])
        if len(lines) > _MAX_SHOWN:
            yield f"  … and {len(lines) - _MAX_SHOWN:,} more (--json lists all)"


def _across(each: dict[str, Any]) -> str:
    how = "is the same as" if each["exact"] else "looks mirrored like" if each["mirrored"] else "looks like"
    other = "" if each["label"] == each["train_label"] else f", which is labeled {each['train_label']}"
    return f"{each['file']} ({each['split']}) {how} {each['train_file']}{other}"


def _near(each: dict[str, Any]) -> str:
    return " and ".join(each["files"]) + (", mirrored" if each["mirrored"] else "")


def _leak(each: dict[str, Any]) -> str:
    return f"{each['class']}: by {each['by']} alone ({format_percent(each['accuracy'])} recognized)"
