"""What the rows of the layer list say: by eye, as the painter shows it, and by ear."""

from __future__ import annotations

from typing import Literal

from cnnstudio.core.formatting import count, plural, spoken
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.designer.layer_list.row_painter import Row
from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.designer.selection_info import is_known
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import family_token
from cnnstudio.layers.catalog import snake_case

Quantity = Literal["parameters", "macs"]


def input_row(project: Project) -> Row:
    """The first row: what goes into the network."""
    return Row("Input", "input", "group", input_summary(project), str(project.network.input))


def layer_row(
    project: Project, report: LayerReport, quantity: Quantity, is_expanded: bool, has_advice: bool
) -> Row:
    """The row of a layer."""
    node, network, analysis = report.node, project.network, project.analysis
    amount = getattr(report, quantity)
    known = is_known(report)
    return Row(
        node.title,
        snake_case(node.layer.type_name()),
        family_token(node.layer.family),
        _summary(node),
        str(report.output) if known else "",
        amount if known and node.enabled else None,
        amount / max(getattr(analysis, quantity), 1),
        report.problem,
        report.depth,
        is_expanded if node.children else None,
        not node.enabled,
        not all(network.node(above).enabled for above in (node.id, *network.ancestors(node.id))),
        branch_of(network, node.id),
        has_advice,
    )


def _summary(node: Node) -> str:
    own = f"{node.layer.type_name()} · " if node.name else ""
    empty = " · empty: drop layers on it" if node.is_group and not node.children else ""
    return f"{own}{node.layer.summary()}{empty}"


def branch_of(network: Network, node_id: str) -> int | None:
    """Which branch of the group around it a layer is, counted from 1; None where they stand in a row."""
    place = network.place(node_id)
    if place.parent is None or not network.node(place.parent).has_branches:
        return None
    return place.index + 1


def input_summary(project: Project) -> str:
    """What the input's row says: `CIFAR-10 image, 3 channels`."""
    words = f"{project.dataset_title} image".strip()
    return f"{words}, {plural(project.network.input.channels, 'channel')}"


def spoken_row(project: Project, report: LayerReport | None, is_expanded: bool | None = None) -> str:
    """A row in one sentence, for those who hear it; None is the input's."""
    if report is None:
        return f"Input, {input_summary(project)}, {spoken(str(project.network.input))}"
    node = report.node
    parts = [_spoken_place(project.network, node), *_spoken_name(node)]
    if node.is_group:
        parts.append(f"{plural(len(node.children), 'layer')} inside" if node.children else "empty")
        parts += [] if is_expanded is None or not node.children else ["open" if is_expanded else "closed"]
    if node.enabled:
        output = spoken(str(report.output)) if report.output else "not known"
        parts += [f"output {output}", f"{count(report.parameters)} parameters"]
    else:
        parts.append("switched off")
    parts.append(f"problem: {report.problem.sentence}" if report.problem else "no problems")
    parts += [f"tip: {advice.message}" for advice in advice_desk(project).of(node.id)]
    return ", ".join(parts)


def _spoken_place(network: Network, node: Node) -> str:
    place = network.place(node.id)
    if place.parent is None:
        return f"Layer {place.index + 1}"
    word = "Layer" if branch_of(network, node.id) is None else "Branch"
    return f"{word} {place.index + 1} in {network.node(place.parent).title}"


def _spoken_name(node: Node) -> list[str]:
    names = [node.name, node.layer.type_name()] if node.name else [node.title]
    return [*names, spoken(node.layer.summary())] if node.layer.summary() else names
