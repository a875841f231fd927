"""What the inspector says about the selection: layers, the input, or the whole network."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.core.formatting import at_least, format_bytes, format_compact, ordinal, pluralize
from cnnstudio.core.parameters import choice, integer
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import MAXIMUM_INPUT, Network
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import family_token
from cnnstudio.layers.base import Shape
from cnnstudio.layers.catalog import snake_case

_BYTES_PER_PARAMETER = 4
"""In a file of the weights."""
_NO_LAYERS = "No layers yet: drag some in from the palette, or start from a template."


@dataclass(frozen=True)
class InputSize:
    """The shape of the input images, as parameters for a form."""

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
class SelectionInfo:
    """The texts and the icon that the inspector shows."""

    icon: str
    token: str
    """The color of the icon, a token of the theme."""
    title: str
    subtitle: str
    description: str
    result: str
    problem: Problem | None = None


def selection_info(project: Project) -> SelectionInfo:
    """What the inspector says about the project's selection."""
    if project.input_selected:
        return _input_info(project)
    if not project.selection:
        return _network_info(project)
    if len(project.selection) == 1:
        return _layer_info(project.network, project.analysis[project.selection[0]])
    return _multiple_info(project)


def _layer_info(network: Network, report: LayerReport) -> SelectionInfo:
    node = report.node
    place = network.place(node.id)
    subtitle = f"{ordinal(place.index + 1)} layer"
    if place.parent is not None:
        subtitle += f" in {network.node(place.parent).title}"
    if node.name:
        subtitle = f"{node.layer.type_name()}, {subtitle}"
    if not node.enabled:
        subtitle += ", disabled"
    if not node.trainable:
        subtitle += ", locked"
    elif node.id in network.locked_ids:
        subtitle += ", locked by its group"
    return SelectionInfo(
        snake_case(node.layer.type_name()),
        family_token(node.layer.family),
        node.title,
        subtitle,
        f"{node.layer.description} {node.layer.usage_hint}".strip(),
        _result_text(report),
        report.problem,
    )


def _result_text(report: LayerReport) -> str:
    if not report.node.enabled:
        return "Disabled: the input passes through unchanged"
    if not report.has_known_output:
        return "Output shape unknown until the error is fixed"
    is_exact = report.has_known_costs
    parts = [
        f"Output {report.output}",
        at_least(pluralize(report.parameters, "parameter"), is_exact=is_exact),
    ]
    if report.macs:
        parts.append(at_least(f"{format_compact(report.macs)} multiply-adds", is_exact=is_exact))
    if report.receptive_field_size is not None:
        parts.append("receptive field {} × {}".format(*report.receptive_field_size))
    return " · ".join(parts)


def _multiple_info(project: Project) -> SelectionInfo:
    reports = [project.analysis[node_id] for node_id in project.selection]
    types = list(dict.fromkeys(report.node.layer.type_name() for report in reports))
    first = reports[0].node.layer
    same_type = len(types) == 1
    # The totals of a group include the layers in it, so those must not be counted again.
    outer = [project.analysis[node.id] for node in edits.outermost(project.network, project.selection)]
    enabled = [report for report in outer if report.node.enabled]
    parameters = pluralize(sum(report.parameters for report in enabled), "parameter")
    macs = f"{format_compact(sum(report.macs for report in enabled))} multiply-adds"
    is_exact = all(report.has_known_costs for report in enabled)
    return SelectionInfo(
        snake_case(first.type_name()) if same_type else "duplicate",
        family_token(first.family) if same_type else "group",
        pluralize(len(reports), "layer"),
        f"all {types[0]}" if same_type else ", ".join(types),
        "Changes apply to all of them."
        if same_type
        else "Select layers of the same type to edit them together.",
        f"Total: {at_least(f'{parameters} · {macs}', is_exact=is_exact)}",
    )


def _input_info(project: Project) -> SelectionInfo:
    shape = project.network.input
    return SelectionInfo(
        "input",
        "group",
        "Input",
        "the images the network takes",
        "One image. Images of the data set are resized to this size.",
        f"Output {shape} · {pluralize(shape.size, 'value')}",
    )


def _network_info(project: Project) -> SelectionInfo:
    network, analysis = project.network, project.analysis
    parts = [f"Output {analysis.output}"] if analysis.output else []
    size = format_bytes(_BYTES_PER_PARAMETER * analysis.parameters)
    amounts = (
        f"{pluralize(analysis.parameters, 'parameter')} ({size})",
        f"{format_compact(analysis.macs)} multiply-adds",
    )
    parts += [
        pluralize(network.layer_count, "layer"),
        *(at_least(amount, is_exact=analysis.has_known_costs) for amount in amounts),
    ]
    return SelectionInfo(
        "cnnstudio",
        "accent",
        network.name,
        "the whole network",
        "Select a layer to see what it does and to edit it." if network.nodes else _NO_LAYERS,
        " · ".join(parts),
        next(filter(project.is_error, analysis.problems), None),
    )
