"""`cnnstudio adapt`: changes the last layer of a design, and if asked the input, to suit a data set."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cnnstudio.cli.arguments import DESIGN_HELP, is_pretrained_template, read_design_argument
from cnnstudio.cli.command import DONE, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.commands.summary import comparison
from cnnstudio.cli.output import echo, print_json
from cnnstudio.core.files import is_folder

if TYPE_CHECKING:
    from cnnstudio.data.sources.base import Source
    from cnnstudio.design.network import Network
    from cnnstudio.layers.base import Shape


class Adapt(Command):
    name = "adapt"
    help = "change the last layer of a design, and if asked the input, to suit a data set"
    examples = (
        "cnnstudio adapt lesson-32 --data shapes --out my.cnn.json",
        "cnnstudio adapt my.cnn.json --data photos --input 3x64x64 --out my-64.cnn.json",
    )
    order = 1

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument("design", metavar="DESIGN", help=DESIGN_HELP)
        parser.add_argument(
            "--data", required=True, metavar="NAME or FOLDER", help="the data set to change the design for"
        )
        parser.add_argument(
            "--input",
            metavar="SHAPE",
            help="also change the input: channels x height x width, such as 3x64x64, or “data” for that of "
            "the images",
        )
        parser.add_argument(
            "--out", required=True, metavar="DESIGN", type=Path, help="the design file to write"
        )
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.data.sources import find_source
        from cnnstudio.design import edits
        from cnnstudio.design.adaptation import adapt_to_classes
        from cnnstudio.design.analysis.analysis import analyze
        from cnnstudio.design.diff import diff
        from cnnstudio.design.file import write_design
        from cnnstudio.design.small_images import fit_input
        from cnnstudio.layers.base import Shape

        if is_folder(options.out):
            raise UsageError(f"--out: {options.out} is a folder; specify a file")
        before = read_design_argument(options.design)
        source = find_source(options.data)
        about = source.info()
        if "classes" not in about:
            raise UsageError(
                f"the classes of {about['title']} are unknown: {about.get('problem', 'no images')}"
            )
        network = before
        if options.input == "data" or (options.input is None and is_pretrained_template(options.design)):
            # As in a training, small images are enlarged where there are pretrained weights.
            shape = source.image_shape()
            network = fit_input(network, None if shape is None else Shape.of(*shape))
        if options.input is not None and network is before:
            network = edits.set_input(network, _shape(options.input, source, network))
            problems = analyze(network).problems
            if problems and not analyze(before).problems:
                raise UsageError(f"--input: images of {network.input} do not fit: {problems[0].full_message}")
        network = adapt_to_classes(network, len(about["classes"]))
        write_design(options.out, network)
        found = diff(before, network)
        if options.json:
            print_json({**comparison(found), "classes": about["classes"], "out": str(options.out)})
        else:
            changes = found.lines() or ("nothing to change",)
            echo("\n".join([*changes, f"{options.out}: {len(about['classes'])} classes of {about['title']}"]))
        return DONE


def _shape(text: str, source: Source, network: Network) -> Shape:
    """The shape in the option `--input`, for that network. Raises UsageError, DataError."""
    from cnnstudio.layers.base import Shape

    if text == "data":
        shape = source.image_shape()
        if shape is None:
            raise UsageError(
                f"--input: the size of the images of {source.title} is unknown; "
                "specify channels x height x width, such as 3x64x64"
            )
        # Pretrained weights are those of their channels, which gray images get as well.
        channels = shape[0] if network.weights is None else network.input.channels
        return Shape.of(channels, *shape[1:])
    sizes = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})[x×](\d{1,5})", text.strip().lower())
    if sizes is None or "0" in sizes.groups():
        raise UsageError(
            f"--input: must be channels x height x width, such as 3x64x64, or data, got “{text}”"
        )
    return Shape.of(*map(int, sizes.groups()))
