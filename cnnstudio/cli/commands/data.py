"""`cnnstudio data`: lists and manages data sets."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from cnnstudio.cli.command import DONE, Command, Parser, add_json_option, add_subcommand, add_subcommands
from cnnstudio.cli.output import LiveLine, echo, print_json, table, two_columns
from cnnstudio.core.formatting import as_printed, format_bytes, pluralize
from cnnstudio.data.sources.folder_layout import READINGS


class Data(Command):
    name = "data"
    help = "list, describe, download and add data sets, and clear the image cache"
    examples = (
        "cnnstudio data list",
        "cnnstudio data download cifar10",
        "cnnstudio data download cifar10 --archive cifar-10-python.tar.gz",
        "cnnstudio data add my-images",
        "cnnstudio data clear",
    )
    order = 7

    def add_arguments(self, parser: Parser) -> None:
        actions = add_subcommands(parser, "action")
        listing = add_subcommand(actions, "list", help="list all data sets")
        info = add_subcommand(actions, "info", help="describe a data set")
        info.add_argument("data", metavar="NAME", help="a name from the list, or a folder")
        download = add_subcommand(
            actions, "download", help="download a data set; an interrupted download continues"
        )
        download.add_argument("data", metavar="NAME", help="a name from the list")
        download.add_argument(
            "--archive",
            type=Path,
            metavar="FILE",
            help="import your own copy of the archive instead of downloading it",
        )
        add = add_subcommand(actions, "add", help="add a folder of images as a data set")
        add.add_argument(
            "folder",
            type=Path,
            metavar="FOLDER",
            help="contains train/<class>/… and test/<class>/…, or only <class>/…",
        )
        add.add_argument(
            "--layout",
            choices=READINGS,
            help="what its folders are: splits (training, test), or classes (folders), or groups whose "
            "subfolders are the classes (default: whatever seems likely)",
        )
        clear = add_subcommand(
            actions, "clear", help="delete the decoded copies of all images; they are recreated when needed"
        )
        for action in (listing, info, download, add, clear):
            add_json_option(action)

    def run(self, options: argparse.Namespace) -> int:
        actions = {"list": _list, "info": _info, "download": _download, "add": _add, "clear": _clear}
        actions[options.action](options)
        return DONE


def _list(options: argparse.Namespace) -> None:
    from cnnstudio.core.paths import datasets_folder
    from cnnstudio.data.sources import sources
    from cnnstudio.data.storage.decoded_cache import decoded_size

    entries, decoded = [source.info() for source in sources()], decoded_size()
    if options.json:
        print_json({"folder": str(datasets_folder()), "datasets": entries, "decoded_bytes": decoded})
        return
    rows = [[entry["name"], _state(entry), entry["description"]] for entry in entries]
    echo(table(["Name", "State", "Description"], rows))
    echo(f"\nFolder: {datasets_folder()}")
    if decoded:
        echo(f"Decoded copies: {format_bytes(decoded)} (cnnstudio data clear deletes them)")


def _state(entry: dict[str, Any]) -> str:
    if entry["available"]:
        return "ready"
    return "not downloaded" if entry["can_download"] else "missing"


def _info(options: argparse.Namespace) -> None:
    from cnnstudio.data.sources import find_source

    line = LiveLine()
    try:
        entry = find_source(options.data).checked_info(line.show_progress)
    finally:
        line.clear()
    if options.json:
        print_json(entry)
        return
    rows = [("Name", entry["name"]), ("Title", entry["title"]), ("Description", entry["description"])]
    rows.append(("State", entry.get("problem") or _state(entry)))
    if "folder" in entry:
        rows.append(("Folder", entry["folder"]))
    if "classes" in entry:
        rows.append(("Classes", f"{len(entry['classes'])}: {', '.join(entry['classes'])}"))
    for part, label in (("train", "Training"), ("validation", "Validation"), ("test", "Test")):
        if entry.get(part) is not None:
            rows.append((label, f"{entry[part]:,} images"))
    if entry.get("unreadable"):
        rows.append(("Unreadable", f"{pluralize(entry['unreadable'], 'file')}, not counted"))
    echo(two_columns(rows))
    for note in _notes(entry):
        echo(f"\nNote: {note}")


def _notes(entry: dict[str, Any]) -> list[str]:
    """Sentences about a folder, and the other ways in which it can be added."""
    notes = [*entry.get("notes", ())]
    for reading, meaning in entry.get("layouts", {}).items():
        notes.append(
            f"cnnstudio data add {shlex.quote(as_printed(entry['folder']))} --layout {reading}: {meaning}."
        )
    return notes


def _download(options: argparse.Namespace) -> None:
    from cnnstudio.data.sources import find_source

    source = find_source(options.data)
    line = LiveLine()
    try:
        if options.archive is not None:
            source.import_archive(options.archive, line.show_progress)
        elif not source.available():
            source.download(line.show_progress)
    finally:
        line.clear()
    _report(source.info(), options.json)


def _add(options: argparse.Namespace) -> None:
    from cnnstudio.data.sources import add_folder

    _report(add_folder(options.folder, reading=options.layout).info(), options.json)


def _clear(options: argparse.Namespace) -> None:
    from cnnstudio.data.storage.decoded_cache import clear_cache, decoded_size

    before = decoded_size()
    clear_cache()
    left = decoded_size()
    if options.json:
        print_json({"freed_bytes": before - left, "decoded_bytes": left})
        return
    echo(f"Deleted {format_bytes(before - left)} of decoded images.")
    if left:
        echo(f"{format_bytes(left)} are in use by another program and were kept.")


def _report(entry: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(entry)
    else:
        # As the terminal shows it, so that it can be pasted: `find_source` knows that form too.
        name = shlex.quote(as_printed(entry["name"]))
        for note in _notes(entry):
            echo(f"{entry['title']}: {note}", file=sys.stderr)
        echo(f"{entry['title']} is ready. To train on it: cnnstudio train DESIGN --data {name}")
