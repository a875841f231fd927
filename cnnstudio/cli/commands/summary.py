"""`cnnstudio summary`: what a network is made of and what is wrong with it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.command import DONE, WRONG_INPUT, Command, Parser, add_json_option
from cnnstudio.cli.output import print_json, table
from cnnstudio.cli.reading import DESIGN_HELP, read_design_argument
from cnnstudio.layers.shape import times
from cnnstudio.words import plural, rounded

if TYPE_CHECKING:
    from cnnstudio.design.analysis import Analysis, LayerReport, Problem


class Summary(Command):
    name = "summary"
    help = "show the layers of a design with shapes, parameters, multiply-adds and problems"
    examples = ("cnnstudio summary lesson-32", "cnnstudio summary my.cnn.json --json")
    order = 1

    def arguments(self, parser: Parser) -> None:
        parser.add_argument("design", metavar="DESIGN", help=DESIGN_HELP)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.design.analysis import analyse

        analysis = analyse(read_design_argument(options.design))
        if options.json:
            print_json(summary(analysis))
        else:
            print(_text(analysis))
        if analysis.problems:
            print(f"cnnstudio: this cannot be trained: {analysis.problems[0].sentence}", file=sys.stderr)
        return WRONG_INPUT if analysis.problems else DONE


def summary(analysis: Analysis) -> dict[str, Any]:
    """The JSON of a summary."""
    return {
        "name": analysis.network.name,
        "input": list(analysis.network.input.dims),
        "output": list(analysis.output.dims) if analysis.output else None,
        "layers": [_layer(report) for report in analysis.reports],
        "parameters": analysis.parameters,
        "macs": analysis.macs,
        "problems": [_problem(problem) for problem in analysis.problems],
    }


def _layer(report: LayerReport) -> dict[str, Any]:
    return {
        "id": report.node.id,
        "type": report.node.layer.type_name(),
        "name": report.node.name,
        "enabled": report.node.enabled,
        "depth": report.depth,
        "output": list(report.output.dims) if report.output else None,
        "parameters": report.parameters,
        "macs": report.macs,
        "receptive_field": list(report.receptive_field) if report.receptive_field else None,
        "problem": report.problem.sentence if report.problem else None,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "layer": problem.node_id,
        "message": problem.message,
        "fix": problem.mend.advice if problem.mend else None,
    }


def _text(analysis: Analysis) -> str:
    network = analysis.network
    rows = [["Input", "", str(network.input), "", "", ""], *map(_row, analysis.reports)]
    heads = ["Layer", "", "Output", "Parameters", "Multiply-adds", "Sees"]
    lines = [network.name, "", table(heads, rows, right=(2, 3, 4, 5)), ""]
    count = sum(not report.node.is_group for report in analysis.reports)
    costs = f"{analysis.parameters:,} parameters · {rounded(analysis.macs)} multiply-adds a picture"
    lines.append(f"{plural(count, 'layer')} · {costs}")
    if analysis.problems:
        lines += ["", "Problems", *(f"  {problem.sentence}" for problem in analysis.problems)]
    return "\n".join(lines)


def _row(report: LayerReport) -> list[str]:
    node = report.node
    words = node.layer.summary() if node.enabled else f"{node.layer.summary()} (switched off)"
    mark = " !" if report.problem else ""
    return [
        f"{'  ' * report.depth}{node.title}{mark}",
        words,
        str(report.output) if report.output else "unknown",
        f"{report.parameters:,}",
        f"{report.macs:,}",
        times(report.receptive_field) if report.receptive_field else "",
    ]
