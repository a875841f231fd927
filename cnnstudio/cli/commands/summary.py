"""`cnnstudio summary`: the layers, costs and problems of a design."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import DESIGN_HELP, read_design_argument
from cnnstudio.cli.command import DONE, WRONG_INPUT, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.output import echo, print_json, table
from cnnstudio.core.formatting import at_least, format_compact, pluralize
from cnnstudio.layers.shape import format_sizes

if TYPE_CHECKING:
    from cnnstudio.core.colors import Scheme
    from cnnstudio.design.analysis.analysis import Analysis, LayerReport
    from cnnstudio.design.diff import Diff, Entry
    from cnnstudio.design.findings import Advice, Problem
    from cnnstudio.design.network import Network


class Summary(Command):
    name = "summary"
    help = "show a design's layers, output shapes, parameters, multiply-adds, problems and advice"
    examples = (
        "cnnstudio summary lesson-32",
        "cnnstudio summary my.cnn.json --json",
        "cnnstudio summary my.cnn.json --compare resnet-20",
        "cnnstudio summary my.cnn.json --drawing network.svg",
    )
    order = 1

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument("design", metavar="DESIGN", help=DESIGN_HELP)
        parser.add_argument(
            "--compare",
            metavar="OTHER",
            help="show the differences between DESIGN and another design instead",
        )
        parser.add_argument(
            "--drawing", metavar="FILE.svg", help="also draw the network as volumes, as an SVG file"
        )
        parser.add_argument("--dark", action="store_true", help="draw for a dark background")
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
            echo(summary_text(analysis))
        if analysis.problems:
            echo(
                f"cnnstudio: the design cannot be trained: {analysis.problems[0].full_message}",
                file=sys.stderr,
            )
        return WRONG_INPUT if analysis.problems else DONE


def _draw(analysis: Analysis, path: Path, scheme: Scheme) -> None:
    from cnnstudio.core.colors import scheme_colors
    from cnnstudio.core.files import write_atomically
    from cnnstudio.design.diagram.svg import draw_network, svg

    if path.suffix.lower() != ".svg":
        raise UsageError(f"--drawing: must be a file that ends in .svg, got “{path}”")
    write_atomically(path, svg(draw_network(analysis), scheme_colors(scheme)).encode())


def _compare(network: Network, other: Network, as_json: bool) -> int:
    from cnnstudio.design.diff import diff

    found = diff(network, other)
    if as_json:
        print_json(comparison(found))
    else:
        lines = [f"{network.name} → {other.name}", "", *found.lines()]
        echo("\n".join(lines))
    return DONE


def comparison(found: Diff) -> dict[str, Any]:
    """The JSON of a comparison; names and numbers are pairs, of the first and the second design."""
    pair = found.before, found.after
    return {
        "names": [analysis.network.name for analysis in pair],
        "inputs": [list(analysis.network.input.dims) for analysis in pair],
        "same": found.is_empty,
        "entries": [_entry(entry) for entry in found.entries],
        "parameters": [analysis.parameters for analysis in pair],
        "macs": [analysis.macs for analysis in pair],
        "costs_known": [analysis.has_known_costs for analysis in pair],
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
        "layers": [_layer(report, analysis) for report in analysis.reports],
        "parameters": analysis.parameters,
        "macs": analysis.macs,
        "activations": analysis.activations,
        # If not, the totals are those of the layers whose costs are known.
        "costs_known": analysis.has_known_costs,
        "problems": [_problem(problem) for problem in analysis.problems],
        "advice": [{"key": advice.key, **_problem(advice)} for advice in advise(analysis)],
        "trainable_parameters": analysis.trainable_parameters,
        "weights": analysis.network.weights,
    }


def _layer(report: LayerReport, analysis: Analysis) -> dict[str, Any]:
    return {
        "id": report.node.id,
        "type": report.node.layer.type_name(),
        "name": report.node.name,
        "enabled": report.node.enabled,
        "trainable": report.node.id not in analysis.network.locked_ids,
        "depth": report.depth,
        "output": list(report.output.dims) if report.output else None,
        # null for unknown, because of an error in the layer or before it.
        "parameters": report.parameters if report.has_known_costs else None,
        "trainable_parameters": (
            analysis.trainable_parameters_of(report.node) if report.has_known_costs else None
        ),
        "macs": report.macs if report.has_known_costs else None,
        "receptive_field": list(report.receptive_field_size) if report.receptive_field_size else None,
        "problem": report.problem.full_message if report.problem else None,
    }


def _problem(finding: Problem | Advice) -> dict[str, Any]:
    return {
        "layer": finding.node_id,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix.instruction if finding.fix else None,
        "fixes": [fix.instruction for fix in finding.fixes],
    }


def summary_text(analysis: Analysis) -> str:
    """The summary for people: a table of the layers, then costs, problems and advice."""
    from cnnstudio.design.advice.advice import advise

    network = analysis.network
    rows = [
        ["Input", "", str(network.input), "", "", ""],
        *(_row(each, network) for each in analysis.reports),
    ]
    headings = ["Layer", "", "Output", "Parameters", "Multiply-adds", "Receptive field"]
    lines = [network.name, "", table(headings, rows, right=(2, 3, 4, 5)), ""]
    trainable = f" ({analysis.trainable_parameters:,} trainable)" if network.locked_ids else ""
    macs = f"{format_compact(analysis.macs)} multiply-adds per image"
    costs = f"{analysis.parameters:,} parameters{trainable} · {macs}"
    costs = at_least(costs, is_exact=analysis.has_known_costs)
    lines.append(f"{pluralize(network.layer_count, 'layer')} · {costs}")
    if network.weights is not None:
        lines.append(f"Training starts from the weights {network.weights}")
    for title, findings in (("Problems", analysis.problems), ("Advice", advise(analysis))):
        if findings:
            lines += ["", title, *(line for finding in findings for line in _finding(finding))]
    return "\n".join(lines)


def _finding(finding: Problem | Advice) -> Iterator[str]:
    yield f"  {finding.full_message}"
    yield from (f"    or {fix.instruction}" for fix in finding.fixes[1:])
    if finding.why:
        yield f"    {finding.why}"


def _row(report: LayerReport, network: Network) -> list[str]:
    node = report.node
    states = {"disabled": not node.enabled, "locked": node.id in network.locked_ids}
    marks = [f"({name})" for name, applies in states.items() if applies]
    description = " ".join([node.layer.summary(), *marks]).strip()
    mark = " !" if report.problem else ""
    return [
        f"{'  ' * report.depth}{node.title}{mark}",
        description,
        str(report.output) if report.output else "unknown",
        f"{report.parameters:,}" if report.has_known_costs else "–",
        f"{report.macs:,}" if report.has_known_costs else "–",
        format_sizes(report.receptive_field_size) if report.receptive_field_size else "",
    ]
