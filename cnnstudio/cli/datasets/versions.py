"""`cnnstudio data versions`: which images, labels and splits runs were trained on."""

from __future__ import annotations

import argparse
from typing import Any

from cnnstudio.cli.command import Parser
from cnnstudio.cli.output import echo, print_json, table

_MAX_NAMED = 20


def add_arguments(parser: Parser) -> None:
    """Declares the arguments of `data versions`."""
    parser.add_argument("data", metavar="NAME", nargs="?", help="only those of this data set")
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar="VERSION",
        help="says what differs between two versions: their ids, or the beginnings of their ids",
    )


def run_versions(options: argparse.Namespace) -> None:
    """Lists or compares versions. Raises UserError."""
    from cnnstudio.data.sources import find_source
    from cnnstudio.data.versions.file_changes import compare_files
    from cnnstudio.data.versions.version import (
        compare_versions,
        describe_difference,
        describe_sets,
        list_versions,
        read_version,
    )

    if options.compare:
        before, after = map(read_version, options.compare)
        found, files = compare_versions(before, after), compare_files(before, after)
        if options.json:
            changes = {
                kind: [[each.file, each.text] for each in those] for kind, those in files.by_kind.items()
            }
            ids = {"before": before["id"], "after": after["id"]}
            print_json({**ids, **found, "changes": changes})
        elif files.are_known and files:
            echo("\n".join([*describe_sets(before, after, found, by_file=True), *files.lines(_MAX_NAMED)]))
        else:
            echo("\n".join(describe_difference(before, after)))
        return
    known = list_versions(options.data)
    if not known and options.data is not None:
        # The folder or another spelling; versions of a set that is gone are listed by its name all the same.
        known = list_versions(find_source(options.data).name)
    if options.json:
        print_json({"versions": known})
    elif not known:
        echo("No versions yet: a version is noted when a data set of your own images is used.")
    else:
        headings = ["Version", "Data set", "Training", "Test", "Corrections", "First used"]
        echo(table(headings, list(map(_row, known)), right=(2, 3, 4)))


def _row(version: dict[str, Any]) -> list[str]:
    counts = [f"{sum(version['splits'].get(part, ())):,}" for part in ("train", "test")]
    when = str(version["created"])[:16].replace("T", " ")
    return [version["id"], version["name"], *counts, f"{len(version['corrections']):,}", when]
