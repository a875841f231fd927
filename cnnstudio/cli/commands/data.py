"""`cnnstudio data`: lists and manages data sets."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from cnnstudio.cli.command import DONE, Command, Parser, add_json_option, add_subcommand, add_subcommands
from cnnstudio.cli.datasets import adding, checking, labeling, versions
from cnnstudio.cli.datasets.description import describe, notes_of, state_of
from cnnstudio.cli.output import LiveLine, echo, print_json, table
from cnnstudio.core.formatting import format_bytes


class Data(Command):
    name = "data"
    help = "list, describe, download and add data sets, and clear the image cache"
    examples = (
        "cnnstudio data list",
        "cnnstudio data download cifar10",
        "cnnstudio data download cifar10 --archive cifar-10-python.tar.gz",
        "cnnstudio data add my-images",
        "cnnstudio data add labels.csv --name birds --groups '[^_]+'",
        "cnnstudio data check birds --run first-run",
        "cnnstudio data label birds --set train/jay/12.jpg=owl --exclude train/owl/7.jpg",
        "cnnstudio data remove birds",
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
        add = add_subcommand(actions, "add", help="add images of your own as a data set")
        adding.add_arguments(add)
        check = add_subcommand(
            actions, "check", help="find duplicates, bad images, wrong labels and classes that leak"
        )
        checking.add_arguments(check)
        label = add_subcommand(actions, "label", help="correct labels or exclude images; no file is changed")
        labeling.add_arguments(label)
        remove = add_subcommand(
            actions, "remove", help="remove images of your own from the list; the files are kept"
        )
        remove.add_argument("data", metavar="NAME", help="a name from the list")
        history = add_subcommand(actions, "versions", help="list the versions of data sets, or compare two")
        versions.add_arguments(history)
        clear = add_subcommand(
            actions, "clear", help="delete the decoded copies of all images; they are recreated when needed"
        )
        for action in (listing, info, download, add, check, label, remove, history, clear):
            add_json_option(action)

    def run(self, options: argparse.Namespace) -> int:
        actions: dict[str, Callable[[argparse.Namespace], int | None]] = {
            "list": _list,
            "info": _info,
            "download": _download,
            "add": adding.run_add,
            "check": checking.run_check,
            "label": labeling.run_label,
            "remove": labeling.run_remove,
            "versions": versions.run_versions,
            "clear": _clear,
        }
        status = actions[options.action](options)
        return DONE if status is None else status


def _list(options: argparse.Namespace) -> None:
    from cnnstudio.core.paths import datasets_folder
    from cnnstudio.data.sources import sources
    from cnnstudio.data.storage.decoded_cache import decoded_size

    entries, decoded = [source.info() for source in sources()], decoded_size()
    if options.json:
        print_json({"folder": str(datasets_folder()), "datasets": entries, "decoded_bytes": decoded})
        return
    rows = [[entry["name"], state_of(entry), entry["description"]] for entry in entries]
    echo(table(["Name", "State", "Description"], rows))
    echo(f"\nFolder: {datasets_folder()}")
    if decoded:
        echo(f"Decoded copies: {format_bytes(decoded)} (cnnstudio data clear deletes them)")


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
    echo(describe(entry))
    for note in notes_of(entry):
        echo(f"\nNote: {note}")


def _download(options: argparse.Namespace) -> int:
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
    return adding.report(source.info(), options.json)


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
