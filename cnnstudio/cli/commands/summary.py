"""`cnnstudio summary`: what a network is made of and what is wrong with it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import DESIGN_HELP, read_design_argument
from cnnstudio.cli.command import DONE, WRONG_INPUT, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.output import print_json, table
from cnnstudio.core.formatting import plural, rounded
from cnnstudio.layers.shape import times

if TYPE_CHECKING:
    from cnnstudio.core.colors import Scheme
    from cnnstudio.design.analysis.analysis import Analysis, LayerReport
    from cnnstudio.design.diff import Diff, Entry
    from cnnstudio.design.findings import Advice, Problem
    from cnnstudio.design.network import Network


class Summary(Command):
    name = "summary"
    help = "show the layers of a design with shapes, parameters, multiply-adds, problems and advice"
    examples = (
        "cnnstudio summary lesson-32",
        "cnnstudio summary my.cnn.json --json",
        "cnnstudio summary my.cnn.json --compare resnet-20",
        "cnnstudio summary my.cnn.json --drawing network.svg",
    )
    order = 1

    def arguments(self, parser: Parser) -> None:
        parser.add_argument("design", metavar="DESIGN", help=DESIGN_HELP)
        parser.add_argument(
            "--compare", metavar="OTHER", help="show what changes from DESIGN to this design instead"
        )
        parser.add_argument(
            "--drawing", metavar="FILE.svg", help="also draw the network as volumes into this file"
        )
        parser.add_argument("--dark", action="store_true", help="draw it for a dark ground")
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.design.analysis.analysis import analyze

        network = read_design_argument(options.design)
        if options.compare is not None:
            return _compare(network, read_design_argument(options.compare), options.json)
        analysis = analyze(network)
        if options.drawing is not None:
            _draw(analysis, Path(options.drawing), "dark" if options.dark else "light")
        if options.json:
            print_json(summary(analysis))
        else:
            print(summary_text(analysis))
        if analysis.problems:
            print(f"cnnstudio: this cannot be trained: {analysis.problems[0].sentence}", file=sys.stderr)
        return WRONG_INPUT if analysis.problems else DONE


def _draw(analysis: Analysis, path: Path, scheme: Scheme) -> None:
    from cnnstudio.core.colors import palette
    from cnnstudio.core.files import write_atomically
    from cnnstudio.design.diagram.svg import svg, volumes

    if path.suffix.lower() != ".svg":
        raise UsageError(
            f"--drawing: drawings are SVG files, so a name that ends in .svg is needed, not “{path}”"
        )
    write_atomically(path, svg(volumes(analysis), palette(scheme)).encode())


def _compare(network: Network, other: Network, as_json: bool) -> int:
    from cnnstudio.design.diff import diff

    found = diff(network, other)
    if as_json:
        print_json(comparison(found))
    else:
        lines = [f"{network.name} → {other.name}", "", *found.lines()]
        print("\n".join(lines))
    return DONE


def comparison(found: Diff) -> dict[str, Any]:
    """The JSON of a comparison; numbers and names are pairs, before and after."""
    pair = found.before, found.after
    return {
        "names": [analysis.network.name for analysis in pair],
        "inputs": [list(analysis.network.input.dims) for analysis in pair],
        "same": found.is_empty,
        "entries": [_entry(entry) for entry in found.entries],
        "parameters": [analysis.parameters for analysis in pair],
        "macs": [analysis.macs for analysis in pair],
        "problems": [len(analysis.problems) for analysis in pair],
        "lines": list(found.lines()),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "status": entry.status,
        "layers": [node.id if node else None for node in (entry.before, entry.after)],
        "text": entry.text,
        "changes": {change.name: [change.before, change.after] for change in entry.changes},
    }


def summary(analysis: Analysis) -> dict[str, Any]:
    """The JSON of a summary."""
    from cnnstudio.design.advice.advice import advise

    return {
        "name": analysis.network.name,
        "input": list(analysis.network.input.dims),
        "output": list(analysis.output.dims) if analysis.output else None,
        "layers": [_layer(report) for report in analysis.reports],
        "parameters": analysis.parameters,
        "macs": analysis.macs,
        "activations": analysis.activations,
        "problems": [_problem(problem) for problem in analysis.problems],
        "advice": [{"key": advice.key, **_problem(advice)} for advice in advise(analysis)],
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


def _problem(finding: Problem | Advice) -> dict[str, Any]:
    return {
        "layer": finding.node_id,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix.advice if finding.fix else None,
        "fixes": [fix.advice for fix in finding.fixes],
    }


def summary_text(analysis: Analysis) -> str:
    """The summary for people: a table of the layers, the costs, problems and advice."""
    from cnnstudio.design.advice.advice import advise

    network = analysis.network
    rows = [["Input", "", str(network.input), "", "", ""], *map(_row, analysis.reports)]
    heads = ["Layer", "", "Output", "Parameters", "Multiply-adds", "Sees"]
    lines = [network.name, "", table(heads, rows, right=(2, 3, 4, 5)), ""]
    costs = f"{analysis.parameters:,} parameters · {rounded(analysis.macs)} multiply-adds an image"
    lines.append(f"{plural(network.layer_count, 'layer')} · {costs}")
    for title, findings in (("Problems", analysis.problems), ("Advice", advise(analysis))):
        if findings:
            lines += ["", title, *(line for finding in findings for line in _finding(finding))]
    return "\n".join(lines)


def _finding(finding: Problem | Advice) -> Iterator[str]:
    yield f"  {finding.sentence}"
    yield from (f"    or {fix.advice}" for fix in finding.fixes[1:])
    if finding.why:
        yield f"    {finding.why}"


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
