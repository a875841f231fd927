"""The content of the layer list's rows, for the painter and for screen readers."""

from __future__ import annotations

from typing import Literal

from cnnstudio.core.formatting import format_compact, format_count, pluralize, screen_reader_text
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.designer.layer_list.row_painter import Row
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import family_token
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.layers.catalog import snake_case

_LARGEST_EXACT = 999_999_999
"""Larger counts are rounded, as their digits would not fit into the column."""

_MAX_TITLE = 60

Quantity = Literal["parameters", "macs"]


def input_row(project: Project) -> Row:
    """The first row: the input of the network."""
    return Row("Input", "input", "group", input_summary(project), str(project.network.input))


def layer_row(
    project: Project, report: LayerReport, quantity: Quantity, is_expanded: bool, has_advice: bool
) -> Row:
    """The row of a layer."""
    node, network, analysis = report.node, project.network, project.analysis
    has_share = node.enabled and report.has_known_costs and analysis.has_known_costs
    return Row(
        node.title,
        snake_case(node.layer.type_name()),
        family_token(node.layer.family),
        _summary(node),
        str(report.output) if report.has_known_output else "",
        _amount_text(report, quantity),
        getattr(report, quantity) / max(getattr(analysis, quantity), 1) if has_share else None,
        project.error_of(report),
        report.depth,
        is_expanded if node.children else None,
        not node.enabled,
        not all(network.node(above).enabled for above in (node.id, *network.ancestors(node.id))),
        branch_number(network, node.id),
        has_advice or project.hint_of(report) is not None,
        node.id in network.locked_ids,
    )


def _amount_text(report: LayerReport, quantity: Quantity) -> str:
    if not report.node.enabled:
        return ""
    if not report.has_known_costs:
        # The message about the error takes the place of the columns.
        return "" if report.problem is not None else "–"
    amount: int = getattr(report, quantity)
    return format_count(amount) if amount <= _LARGEST_EXACT else format_compact(amount)


def _summary(node: Node) -> str:
    summary = node.layer.summary()
    if node.name:
        # `Repeat × 3`, but `Conv2D · 32 filters`.
        summary = f"{node.layer.type_name()}{' ' if summary.startswith('×') else ' · '}{summary}"
    empty = " · empty: drop layers here" if node.is_group and not node.children else ""
    return f"{summary}{empty}"


def branch_number(network: Network, node_id: str) -> int | None:
    """The number of a layer among the branches of its group, from 1; None if its group has no branches."""
    place = network.place(node_id)
    if place.parent is None or not network.node(place.parent).has_branches:
        return None
    return place.index + 1


def input_summary(project: Project) -> str:
    """The text of the input row: `color image from CIFAR-10`."""
    channels = project.network.input.channels
    image = {1: "gray image", 3: "color image"}.get(channels, f"image with {pluralize(channels, 'channel')}")
    title = plain_line(project.dataset_title, _MAX_TITLE)
    return f"{image} from {title}" if title else image


def accessible_row_text(project: Project, report: LayerReport | None, is_expanded: bool | None = None) -> str:
    """A row as one sentence for screen readers; the input row if `report` is None."""
    if report is None:
        return f"Input, {input_summary(project)}, {screen_reader_text(str(project.network.input))}"
    node = report.node
    parts = [_place_text(project.network, node), *_name_parts(node)]
    if node.is_group:
        parts.append(f"{pluralize(len(node.children), 'layer')} inside" if node.children else "empty")
        parts += (
            [] if is_expanded is None or not node.children else ["expanded" if is_expanded else "collapsed"]
        )
    if node.enabled:
        output = screen_reader_text(str(report.output)) if report.has_known_output else "unknown"
        count = format_count(report.parameters) if report.has_known_costs else "unknown number of"
        parts += [f"output {output}", f"{count} parameters"]
    else:
        parts.append("disabled")
    if node.id in project.network.locked_ids:
        parts.append("locked")
    error, hint = project.error_of(report), project.hint_of(report)
    parts.append(f"problem: {error.full_message}" if error else "no problems")
    parts += [f"still missing: {hint.missing}"] if hint else []
    parts += [f"tip: {advice.message}" for advice in advice_service(project).for_node(node.id)]
    return ", ".join(parts)


def _place_text(network: Network, node: Node) -> str:
    place = network.place(node.id)
    if place.parent is None:
        return f"Layer {place.index + 1}"
    noun = "Layer" if branch_number(network, node.id) is None else "Branch"
    return f"{noun} {place.index + 1} in {network.node(place.parent).title}"


def _name_parts(node: Node) -> list[str]:
    names = [node.name, node.layer.type_name()] if node.name else [node.title]
    return [*names, screen_reader_text(node.layer.summary())] if node.layer.summary() else names
