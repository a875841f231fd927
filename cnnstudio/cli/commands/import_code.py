"""`cnnstudio import`: converts Keras or PyTorch code, or an ONNX file, to a design. Neither is run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import image_size
from cnnstudio.cli.command import DONE, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.commands.summary import summary, summary_text
from cnnstudio.cli.imports.onnx import import_onnx, is_onnx
from cnnstudio.cli.output import echo, print_json
from cnnstudio.core.files import exists, is_folder
from cnnstudio.core.parameters import shorten

if TYPE_CHECKING:
    from cnnstudio.design.analysis.analysis import Analysis
    from cnnstudio.interchange.reading import ImportedDesign


class ImportCode(Command):
    name = "import"
    help = "convert Keras or PyTorch code, or an ONNX file with its weights, to a design"
    examples = (
        "cnnstudio import model.py --out my.cnn.json",
        "cnnstudio import model.py --out my.cnn.json --recipe my-recipe.json",
        "cnnstudio import net.onnx --out my.cnn.json --weights-out net.safetensors",
    )
    order = 1

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument(
            "code",
            metavar="FILE",
            type=Path,
            help="a Python file, notebook or Markdown page with the code of a network, or an ONNX file; "
            "neither is run",
        )
        parser.add_argument(
            "--out", required=True, metavar="DESIGN", type=Path, help="the design file to write"
        )
        parser.add_argument(
            "--recipe",
            metavar="FILE",
            type=Path,
            help="also write the training settings in the code as a recipe",
        )
        parser.add_argument(
            "--network",
            metavar="NAME",
            default="",
            help="the network to read, if the code has several (default: the largest that is trained); "
            "PyTorch: or a call, such as “Net(depth=20)”; ONNX: an output",
        )
        parser.add_argument(
            "--classes",
            metavar="N",
            type=class_count,
            help="the number of classes in your data; sets the last layer",
        )
        parser.add_argument(
            "--weights-out",
            metavar="FILE.safetensors",
            type=Path,
            help="ONNX: also write the weights, for cnnstudio train --weights",
        )
        parser.add_argument(
            "--size",
            metavar="N or HxW",
            type=image_size,
            help="ONNX: the height and width of images, if the file leaves them open",
        )
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.design.analysis.analysis import analyze
        from cnnstudio.design.file import write_design
        from cnnstudio.interchange.endings import with_classes
        from cnnstudio.training.recipe.recipe import split_valid_fields

        for option in ("out", "recipe", "weights_out"):
            path = getattr(options, option)
            if path is not None and is_folder(path):
                raise UsageError(f"--{option.replace('_', '-')}: {path} is a folder; specify a file")
        if is_onnx(options.code):
            return import_onnx(options)
        for option in ("weights_out", "size"):
            if getattr(options, option) is not None:
                raise UsageError(f"--{option.replace('_', '-')}: only for ONNX files; code has no weights")
        imported, code = _read(options.code, options.network)
        if options.classes is not None:
            imported = with_classes(imported, options.classes)
        recipe, errors = split_valid_fields(imported.recipe)
        write_design(options.out, imported.network)
        if options.recipe is not None:
            _write_recipe(options.recipe, recipe)
        analysis = analyze(imported.network)
        if options.json:
            print_json(_content(options, imported, analysis, recipe, errors, code))
        else:
            echo(_text(options, imported, analysis, recipe, code))
            for error_line in errors:
                echo(f"cnnstudio: {error_line}", file=sys.stderr)
        return DONE


def class_count(text: str) -> int:
    """The number in `--classes`."""
    if not text.isascii() or not text.isdigit() or not 2 <= int(text[:9]) <= 100_000:
        raise argparse.ArgumentTypeError(f"must be an integer from 2 to 100,000, got {shorten(text)}")
    return int(text)


def _read(path: Path, network: str) -> tuple[ImportedDesign, str]:
    """(the design in a file, the code), named after the file if the code has no name for it.

    Raises CodeError or UsageError.
    """
    from cnnstudio.interchange.reading import CodeError, read_code
    from cnnstudio.interchange.source import read_text

    if is_folder(path):
        raise UsageError(_describe_folder(path))
    if not exists(path):
        raise UsageError(f"there is no file “{path}”")
    text = read_text(path)
    try:
        return read_code(text, network).with_default_name(path.stem), text
    except CodeError as error:
        raise CodeError(f"{path.name}: {error}") from None


def _describe_folder(path: Path) -> str:
    """What the folder is, and what would be right."""
    from cnnstudio.runs.run import DESIGN_FILE, RUN_FILE

    if exists(path / RUN_FILE):
        return f"{path} is a run, which has its design in {path / DESIGN_FILE}"
    if exists(path / "saved_model.pb"):
        return f"{path} is a saved TensorFlow model; import the code of the network, or an ONNX file of it"
    return f"{path} is a folder; specify a file with Python code"


def _write_recipe(path: Path, values: Mapping[str, Any]) -> None:
    from cnnstudio.core.files import write_json
    from cnnstudio.training.recipe.recipe import Recipe

    write_json(path, Recipe("imported").replace(**values).to_json())


def _content(
    options: argparse.Namespace,
    imported: ImportedDesign,
    analysis: Analysis,
    recipe: Mapping[str, Any],
    errors: Sequence[str],
    code: str,
) -> dict[str, Any]:
    """The JSON of an import: the summary of the design, and what was read from the code."""
    from cnnstudio.interchange.notebooks import place_in_notebook

    return {
        **summary(analysis),
        "language": imported.language,
        "recipe": dict(recipe),
        "networks": list(imported.networks),
        "notes": [
            {"line": note.line, "text": note.text, "place": place_in_notebook(code, note.line)}
            for note in imported.notes
        ]
        + [{"line": None, "text": error_line, "place": None} for error_line in errors],
        "data": _data(imported),
        "out": str(options.out),
    }


def _data(imported: ImportedDesign) -> dict[str, Any] | None:
    """The data set that the code names, and whether `--data` knows one of that name."""
    from cnnstudio.data.sources import sources

    if imported.data is None:
        return None
    known = imported.data.name in {source.name for source in sources()}
    return {"name": imported.data.name, "line": imported.data.line, "known": known}


def _data_text(imported: ImportedDesign) -> list[str]:
    from cnnstudio.interchange.data_sets import FOLDER

    data = _data(imported)
    if data is None:
        return []
    if data["known"]:
        advice = f"train with --data {data['name']}"
    elif data["name"] == FOLDER:
        advice = "train with --data and the folder"
    else:
        advice = "this program has none of that name: train with --data and a folder of its images"
    return ["", f"Data: {data['name']} (line {data['line']}); {advice}"]


def _text(
    options: argparse.Namespace,
    imported: ImportedDesign,
    analysis: Analysis,
    recipe: Mapping[str, Any],
    code: str,
) -> str:
    from cnnstudio.interchange.notebooks import place_in_notebook
    from cnnstudio.interchange.source import LANGUAGES

    lines = [summary_text(analysis)]
    if recipe:
        settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in recipe.items())
        lines += ["", f"Training in the code: {settings}"]
    lines += _data_text(imported)
    if imported.networks:
        lines += ["", f"Networks in the code: {', '.join(imported.networks)} (choose one with --network)"]
    if imported.notes:
        notes = (f"  {place_in_notebook(code, note.line)}: {note.text}" for note in imported.notes)
        lines += ["", "Notes", *notes]
    return "\n".join([*lines, "", f"{options.out}: converted from {LANGUAGES[imported.language]} code"])
