"""What the inspector is about: some layers, the input, or the whole network, each in words."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.core.formatting import count, ordinal, plural, rounded
from cnnstudio.core.parameters import choice, integer
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import Analysis, LayerReport
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import MAXIMUM_INPUT, Network
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import family_token
from cnnstudio.layers.base import Shape
from cnnstudio.layers.catalog import snake_case

_NO_LAYERS = "It has no layers yet: drag some in from the palette, or open a template."
_SPACE, _HYPHEN = "\N{NO-BREAK SPACE}", "\N{NON-BREAKING HYPHEN}"


@dataclass(frozen=True)
class InputSize:
    """The images that a network takes, as parameters of a form."""

    channels: str = choice("3", ("1", "3"), help="1 for gray, 3 for color")
    height: int = integer(32, maximum=MAXIMUM_INPUT, help="pixels")
    width: int = integer(32, maximum=MAXIMUM_INPUT, help="pixels")

    @classmethod
    def of(cls, shape: Shape) -> InputSize:
        return cls(str(shape.channels), shape.height, shape.width)

    def with_value(self, name: str, value: object) -> Shape:
        """The shape with one of the three changed."""
        sizes = {"channels": self.channels, "height": self.height, "width": self.width, name: value}
        return Shape.of(*(int(str(size)) for size in sizes.values()))


@dataclass(frozen=True)
class Subject:
    """Head, description and result of the inspector."""

    icon: str
    token: str
    title: str
    place: str
    description: str
    result: str
    problem: Problem | None = None


def subject(project: Project) -> Subject:
    """What the inspector says of the project's selection."""
    if project.input_selected:
        return _input(project)
    if not project.selection:
        return _whole(project.network, project.analysis)
    if len(project.selection) == 1:
        return _layer(project.network, project.analysis[project.selection[0]])
    return _several(project)


def _layer(network: Network, report: LayerReport) -> Subject:
    node = report.node
    place = network.place(node.id)
    words = f"{ordinal(place.index + 1)} layer"
    if place.parent is not None:
        words += f" in {network.node(place.parent).title}"
    if node.name:
        words = f"{node.layer.type_name()}, {words}"
    if not node.enabled:
        words += ", switched off"
    return Subject(
        snake_case(node.layer.type_name()),
        family_token(node.layer.family),
        node.title,
        words,
        f"{node.layer.description} {node.layer.advice}".strip(),
        _result(report),
        report.problem,
    )


def is_known(report: LayerReport) -> bool:
    """Whether a layer's numbers mean something. One that is at fault only as the last layer has them."""
    return report.output is not None and (report.problem is None or report.macs > 0)


def _result(report: LayerReport) -> str:
    if not report.node.enabled:
        return "Switched off: what comes in goes on unchanged"
    if not is_known(report):
        return "What comes out is known once the mistake is fixed"
    parts = [f"Output {report.output}", plural(report.parameters, "parameter")]
    if report.macs:
        parts.append(f"{rounded(report.macs)} multiply-adds")
    if report.receptive_field is not None:
        parts.append("sees {} × {} pixels".format(*report.receptive_field))
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    """The parts in a row, which is broken between them only."""
    return f"{_SPACE}· ".join(part.replace(" ", _SPACE).replace("-", _HYPHEN) for part in parts)


def _several(project: Project) -> Subject:
    reports = [project.analysis[node_id] for node_id in project.selection]
    types = list(dict.fromkeys(report.node.layer.type_name() for report in reports))
    first = reports[0].node.layer
    alike = len(types) == 1
    # A group's numbers hold those of the layers in it.
    outer = [project.analysis[node.id] for node in edits.outermost(project.network, project.selection)]
    parameters = sum(report.parameters for report in outer if report.node.enabled)
    macs = sum(report.macs for report in outer if report.node.enabled)
    return Subject(
        snake_case(first.type_name()) if alike else "duplicate",
        family_token(first.family) if alike else "group",
        plural(len(reports), "layer"),
        f"all {types[0]}" if alike else ", ".join(types),
        "A change applies to all of them." if alike else "Select layers of one type to change them together.",
        f"Together {plural(parameters, 'parameter')} · {rounded(macs)} multiply-adds",
    )


def _input(project: Project) -> Subject:
    shape = project.network.input
    return Subject(
        "input",
        "group",
        "Input",
        "what the network takes",
        "One image. Those of the data set are fitted to this size.",
        f"Output {shape} · {plural(shape.size, 'number')}",
    )


def _whole(network: Network, analysis: Analysis) -> Subject:
    parts = [f"Output {analysis.output}"] if analysis.output else []
    parts += [
        plural(network.layer_count, "layer"),
        f"{plural(analysis.parameters, 'parameter')} ({_megabytes(analysis.parameters)})",
        f"{rounded(analysis.macs)} multiply-adds",
    ]
    return Subject(
        "cnnstudio",
        "accent",
        network.name,
        "the whole network",
        "Select a layer to see what it does and to change it." if network.nodes else _NO_LAYERS,
        _joined(parts),
        # That a new design is empty is no mistake.
        analysis.problems[0] if analysis.problems and network.nodes else None,
    )


def _megabytes(parameters: int) -> str:
    """The size of the weights as a file, four bytes each."""
    size = parameters * 4
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{count(round(size / 1000))} kB"
