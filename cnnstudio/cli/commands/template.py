"""`cnnstudio template`: lists the built-in designs and writes them to files."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnstudio.cli.command import (
    DONE,
    Command,
    Parser,
    UsageError,
    add_json_option,
    add_subcommand,
    add_subcommands,
)
from cnnstudio.cli.output import echo, print_json, table
from cnnstudio.core.files import is_folder


class TemplateCommand(Command):
    name = "template"
    help = "list the built-in designs, or write one to a file"
    examples = ("cnnstudio template list", "cnnstudio template write lesson-32 --out my.cnn.json")
    order = 0

    def add_arguments(self, parser: Parser) -> None:
        actions = add_subcommands(parser, "action")
        add_json_option(add_subcommand(actions, "list", help="list all templates"))
        write = add_subcommand(actions, "write", help="write a template to a design file")
        write.add_argument("name", metavar="NAME", help="a name from the list")
        write.add_argument("--out", required=True, metavar="DESIGN", type=Path, help="the file to write")
        add_json_option(write)

    def run(self, options: argparse.Namespace) -> int:
        if options.action == "list":
            return _list(options.json)
        return _write(options.name, options.out, options.json)


def _list(as_json: bool) -> int:
    from cnnstudio.design.analysis.analysis import analyze
    from cnnstudio.design.templates import templates

    entries = [
        {
            "name": template.name,
            "title": template.title,
            "description": template.description,
            "input": list(template.network.input.dims),
            "parameters": analyze(template.network).parameters,
        }
        for template in templates().values()
    ]
    if as_json:
        print_json({"templates": entries})
    else:
        rows = [
            [str(entry["name"]), f"{entry['parameters']:,}", str(entry["description"])] for entry in entries
        ]
        echo(table(["Name", "Parameters", "Description"], rows, right=(1,)))
    return DONE


def _write(name: str, path: Path, as_json: bool) -> int:
    from cnnstudio.design.file import write_design
    from cnnstudio.design.templates import template

    network = template(name).network
    if is_folder(path):
        raise UsageError(f"--out: {path} is a folder; specify a file, such as {path / f'{name}.cnn.json'}")
    write_design(path, network)
    if as_json:
        print_json({"template": name, "out": str(path)})
    else:
        echo(f"{path}: {network.name}")
    return DONE
