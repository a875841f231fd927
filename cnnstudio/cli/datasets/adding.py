"""`cnnstudio data add`: own images as a data set."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from cnnstudio.cli.arguments import image_size_or_auto, read_integer, read_number
from cnnstudio.cli.command import DONE, WRONG_INPUT, Parser, UsageError
from cnnstudio.cli.datasets.description import content_rows, notes_of
from cnnstudio.cli.output import LiveLine, echo, print_json, two_columns
from cnnstudio.core.formatting import as_printed
from cnnstudio.core.progress import never_cancelled
from cnnstudio.data.dataset import RESIZE_MODES
from cnnstudio.data.sources.folder_layout import READINGS


def add_arguments(parser: Parser) -> None:
    """Declares the arguments of `data add`."""
    parser.add_argument(
        "images",
        type=_path,
        metavar="FOLDER, FILE.csv or FILE.zip",
        help="a folder with train/<class>/… and test/<class>/…, or only <class>/…; a table with the columns "
        "file, label and perhaps split; or a zip file with either",
    )
    parser.add_argument("--name", metavar="NAME", default="", help="instead of that of the folder or file")
    parser.add_argument(
        "--layout",
        choices=READINGS,
        help="what its folders are: splits (training, test), or classes (folders), or groups whose "
        "subfolders are the classes (default: whatever seems likely)",
    )
    parser.add_argument(
        "--test-share",
        type=read_number,
        metavar="X",
        help="fraction of each class to hold out as the test set if there is none (default: 0.2)",
    )
    parser.add_argument(
        "--split-seed", type=read_integer, metavar="N", help="chooses which images are held out (default: 0)"
    )
    parser.add_argument(
        "--groups",
        metavar="PATTERN",
        help="keeps images of one object in one split: those in whose file names this regular expression "
        "finds the same text, such as [^_]+ for cat7_left.jpg and cat7_right.jpg",
    )
    parser.add_argument(
        "--resize",
        choices=RESIZE_MODES,
        help="how images of another shape get the common size: cropped (fill), with black beside them (fit) "
        "or distorted (stretch); a run resizes new images in the same way (default: fill)",
    )
    parser.add_argument(
        "--size",
        type=image_size_or_auto,
        metavar="N, HxW or auto",
        help="height and width that all images get (default: auto, the most common or the median size)",
    )


def _path(text: str) -> Path:
    """An empty argument, such as that of an unset variable, does not mean the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must be a folder, a table or a zip file, but it is empty")
    return Path(text)


def run_add(options: argparse.Namespace) -> int:
    """Adds the images and says what they were understood to be; returns the exit status. Raises UserError."""
    from cnnstudio.data.sources.adding import add_images

    given = {"seed": options.split_seed, "share": options.test_share, "groups": options.groups}
    chosen = {name: value for name, value in given.items() if value is not None}
    if options.name and not options.name.strip():
        raise UsageError("--name must not be empty")
    line = LiveLine()
    try:
        source = add_images(
            *(options.images, options.name, options.layout, chosen),
            *(line.show_progress, never_cancelled, options.resize, options.size),
        )
        entry = source.checked_info(line.show_progress)
    finally:
        line.clear()
    if not options.json:
        echo(two_columns([("Name", entry["name"]), *content_rows(entry)]) + "\n")
    return report(entry, options.json, done="was added, but ")


def report(entry: dict[str, Any], as_json: bool, done: str = "") -> int:
    """Prints that a data set can be used, with the notes on standard error; returns the exit status.

    `done` is what happened before to a data set that cannot be used.
    """
    if as_json:
        print_json(entry)
    else:
        for note in notes_of(entry):
            echo(f"{entry['title']}: {note}", file=sys.stderr)
    if "problem" in entry:
        echo(f"cnnstudio: {entry['title']} {done}cannot be used yet: {entry['problem']}", file=sys.stderr)
        return WRONG_INPUT
    if not as_json:
        # As the terminal shows it, so that it can be pasted: `find_source` knows that form too.
        name = shlex.quote(as_printed(entry["name"]))
        echo(f"{entry['title']} is ready. To train on it: cnnstudio train DESIGN --data {name}")
    return DONE
