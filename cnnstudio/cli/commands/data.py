"""`cnnstudio data`: the data sets on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cnnstudio.cli.command import DONE, Command, Parser, add_json_option, add_subcommands
from cnnstudio.cli.output import LiveLine, pairs, print_json, table
from cnnstudio.core.formatting import storage


class Data(Command):
    name = "data"
    help = "list, describe, download and add data sets"
    examples = (
        "cnnstudio data list",
        "cnnstudio data download cifar10",
        "cnnstudio data download cifar10 --archive cifar-10-python.tar.gz",
        "cnnstudio data add my-images",
        "cnnstudio data clear",
    )
    order = 6

    def arguments(self, parser: Parser) -> None:
        words = add_subcommands(parser, "action")
        listing = words.add_parser("list", help="show all data sets")
        info = words.add_parser("info", help="what is known of one data set")
        info.add_argument("data", metavar="NAME", help="a name from the list, or a folder")
        download = words.add_parser(
            "download", help="bring a data set to this machine; goes on where it stopped"
        )
        download.add_argument("data", metavar="NAME", help="a name from the list")
        download.add_argument(
            "--archive", type=Path, metavar="FILE", help="take it from your own copy instead"
        )
        add = words.add_parser("add", help="remember a folder of your own images")
        add.add_argument(
            "folder", type=Path, metavar="FOLDER", help="train/<class>/… and test/<class>/…, or <class>/…"
        )
        clear = words.add_parser(
            "clear", help="remove the decoded copies of all data sets; they are made anew when needed"
        )
        for word in (listing, info, download, add, clear):
            add_json_option(word)

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
    print(table(["Name", "State", "Description"], rows))
    print(f"\nThey are kept in {datasets_folder()}")
    if decoded:
        print(f"Decoded copies take {storage(decoded)} of it; cnnstudio data clear removes them.")


def _state(entry: dict[str, Any]) -> str:
    if entry["available"]:
        return "ready"
    return "to download" if entry["can_download"] else "missing"


def _info(options: argparse.Namespace) -> None:
    from cnnstudio.data.sources import find_source

    entry = find_source(options.data).info()
    if options.json:
        print_json(entry)
        return
    rows = [("Name", entry["name"]), ("Title", entry["title"]), ("Description", entry["description"])]
    rows.append(("State", entry.get("problem") or _state(entry)))
    if "folder" in entry:
        rows.append(("Folder", entry["folder"]))
    if "classes" in entry:
        rows.append(("Classes", f"{len(entry['classes'])}: {', '.join(entry['classes'])}"))
    for part, label in (("train", "Training"), ("test", "Test")):
        if entry.get(part) is not None:
            rows.append((label, f"{entry[part]:,} images"))
    print(pairs(rows))


def _download(options: argparse.Namespace) -> None:
    from cnnstudio.data.sources import find_source

    source = find_source(options.data)
    line = LiveLine()
    try:
        if options.archive is not None:
            source.import_archive(options.archive, line.follow)
        elif not source.available():
            source.download(line.follow)
    finally:
        line.clear()
    _report(source.info(), options.json)


def _add(options: argparse.Namespace) -> None:
    from cnnstudio.data.sources import add_folder

    _report(add_folder(options.folder).info(), options.json)


def _clear(options: argparse.Namespace) -> None:
    from cnnstudio.data.storage.decoded_cache import clear, decoded_size

    before = decoded_size()
    clear()
    left = decoded_size()
    if options.json:
        print_json({"freed_bytes": before - left, "decoded_bytes": left})
        return
    print(f"Decoded copies of data sets removed: {storage(before - left)}.")
    if left:
        print(f"{storage(left)} are in use by another program.")


def _report(entry: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(entry)
    else:
        print(f"{entry['title']} is ready: cnnstudio train DESIGN --data {entry['name']}")
