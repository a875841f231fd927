"""`cnnstudio data label` and `data remove`: corrects labels, excludes images, or forgets a whole set."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from cnnstudio.cli.command import Parser, UsageError
from cnnstudio.cli.output import echo, print_json, table
from cnnstudio.core.formatting import pluralize

if TYPE_CHECKING:
    from cnnstudio.data.sources.file_source import FileSource
    from cnnstudio.data.versions.corrections import Corrections

_MAX_SHOWN = 50


def add_arguments(parser: Parser) -> None:
    """Declares the arguments of `data label`."""
    parser.add_argument("data", metavar="NAME", help="a data set of your own images")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE=CLASS",
        help="the right class of images; files are named as in the data set",
    )
    parser.add_argument(
        "--exclude",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="images that are not to be used",
    )
    parser.add_argument(
        "--reset",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="images whose corrections are to be dropped",
    )
    parser.add_argument("--undo", action="store_true", help="take the last change back")


def run_label(options: argparse.Namespace) -> None:
    """Changes the corrections, or shows them. Raises UserError."""
    from cnnstudio.data.versions.corrections import read_corrections
    from cnnstudio.data.versions.relabeling import relabel, undo_relabeling

    source = file_source(options.data)
    classes = source.listing().classes if options.set else ()
    pairs = [_parsed(text, classes) for text in options.set]
    named = Counter([*(file for file, _ in pairs), *options.exclude, *options.reset])
    for file, times in named.items():
        if times > 1:
            raise UsageError(f"{file} is named {times} times: say once what becomes of it")
    labels = dict(pairs)
    is_change = bool(labels or options.exclude or options.reset)
    if options.undo and is_change:
        raise UsageError("--undo takes the last change back and cannot be combined with another change")
    if options.undo:
        corrections = undo_relabeling(source)
    elif is_change:
        corrections = relabel(source, labels, options.exclude, options.reset)
    else:
        corrections = read_corrections(source.path)
    if options.json:
        print_json(_facts(source, corrections))
    else:
        echo(_text(source, corrections))


def run_remove(options: argparse.Namespace) -> None:
    """Removes a data set from the list, and its decoded copies. Raises UserError."""
    from cnnstudio.data.sources.folder_list import registered_sets, unpacked_folder, unregister_set

    source = file_source(options.data)
    if source.name not in registered_sets():
        raise UsageError(f"{source.title} is not in the list, so it cannot be removed from it")
    unregister_set(source.name)
    if options.json:
        print_json({"name": source.name, "path": str(source.path)})
    else:
        was_unpacked = unpacked_folder() in source.path.parents
        kept = "The zip file that you added is as it was." if was_unpacked else "Your files are as they were."
        echo(f"{source.title} was removed from the list. {kept}")


def file_source(name: str) -> FileSource:
    """The data set of the user's own images with that name. Raises UserError."""
    from cnnstudio.data.sources import find_source
    from cnnstudio.data.sources.file_source import FileSource

    source = find_source(name)
    if not isinstance(source, FileSource):
        raise UsageError(f"{source.title} has no files of yours whose labels could be corrected")
    return source


def _parsed(text: str, classes: Collection[str]) -> tuple[str, str]:
    """File and class. Either may have “=” in its name: the longest class that there is counts."""
    places = [place for place, character in enumerate(text) if character == "=" and 0 < place < len(text) - 1]
    if not places:
        raise UsageError(f"--set takes FILE=CLASS, got “{text}”")
    place = next((each for each in places if text[each + 1 :] in classes), places[-1])
    return text[:place], text[place + 1 :]


def _facts(source: FileSource, corrections: Corrections) -> dict[str, object]:
    entries = corrections.entries
    return {
        "name": source.name,
        "labels": {file: entry.label for file, entry in entries.items() if entry.label is not None},
        "excluded": [file for file, entry in entries.items() if entry.label is None],
        "can_undo": bool(corrections.replaced),
    }


def _text(source: FileSource, corrections: Corrections) -> str:
    if not corrections.entries:
        return f"{source.title} has no corrections: all labels are those of its files."
    rows = [[file, entry.label or "excluded"] for file, entry in corrections.entries.items()]
    shown = table(["File", "Label"], rows[:_MAX_SHOWN])
    more = f"\n… and {len(rows) - _MAX_SHOWN:,} more (--json shows all)" if len(rows) > _MAX_SHOWN else ""
    count = pluralize(len(rows), "correction")
    return f"{shown}{more}\n\n{source.title} has {count}. Your files are as they were."
