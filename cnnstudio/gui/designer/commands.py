"""What the user can do to the layers. Each is one undo step of the project.

They raise the edits' own errors, one plain sentence each, where something makes no sense.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Sequence
from typing import Any

from PySide6.QtCore import QByteArray, QMimeData

from cnnstudio.core.formatting import plural
from cnnstudio.design import edits
from cnnstudio.design.file import layers_from_text, layers_to_text
from cnnstudio.design.network import IdMaker, Network, Node, Place, clean_name
from cnnstudio.gui.document.project import Project, Question
from cnnstudio.layers.base import Group, Layer, Shape

MIME = "application/x-cnnstudio-layers+json"
MANY = 1_000
"""More layers than these come in only after a question."""


def described(nodes: Sequence[Node]) -> str:
    """The nodes in the words of an undo step: `Conv2D`, or `3 layers`."""
    return nodes[0].title if len(nodes) == 1 else plural(len(nodes), "layer")


def place_after_selection(project: Project) -> Place:
    """Where a new layer goes by itself: into a selected empty group, after the selection, or to the end."""
    if project.input_selected:
        return Place(None, 0)
    if not project.selection:
        return Place(None, len(project.network.nodes))
    node = project.network.node(project.selection[-1])
    if node.is_group and not node.children:
        return Place(node.id, 0)
    place = project.network.place(node.id)
    return Place(place.parent, place.index + 1)


def add_type(project: Project, kind: type[Layer]) -> None:
    """A new layer of the type, with its defaults, after the selection."""
    node = project.network.fresh_ids().node(kind())
    insert(project, [node], place_after_selection(project))


def insert(project: Project, nodes: Sequence[Node], place: Place, verb: str = "add") -> None:
    """New nodes at a place; they are selected then."""
    network = edits.insert(project.network, place, nodes)
    project.edit(f"{verb} {described(nodes)}", network, select=[node.id for node in nodes])


def bring(project: Project, data: QMimeData, place: Place | None = None, verb: str = "add") -> None:
    """The layers of a drag or of the clipboard at a place, else after the selection.

    Many come only after a question.

    Raises DesignError.
    """
    text = layers_in(data)
    nodes = layers_from_text(text, project.network)
    number = sum(1 for node in nodes for _ in node.walk())
    if number <= MANY:
        insert(project, nodes, place or place_after_selection(project), verb)
        return

    def bring_all() -> None:
        # The network may have changed before the answer, so the ids have to be made anew.
        again = layers_from_text(text, project.network)
        insert(project, again, place or place_after_selection(project), verb)

    question = f"These are {plural(number, 'layer')}. Do you want to {verb} all of them?"
    project.question.emit(Question(question, f"{verb.capitalize()} them", lambda: project.attempt(bring_all)))


def move(project: Project, ids: Collection[str], place: Place, where: str = "") -> None:
    """Layers of the network to another place; `where` says it in the name of the undo step."""
    nodes = edits.outermost(project.network, ids)
    network = edits.move(project.network, ids, place)
    project.edit(f"move {described(nodes)}{where}", network, select=[node.id for node in nodes])


def step_up(project: Project) -> None:
    """The selected layers one place up: past a layer, into the end of a group, or out of its top."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        place = _place_above(project.network, nodes[0].id)
        if place is not None:
            move(project, [node.id for node in nodes], place)


def step_down(project: Project) -> None:
    """The selected layers one place down: past a layer, into the top of a group, or out of its end."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        place = _place_below(project.network, nodes[-1].id)
        if place is not None:
            move(project, [node.id for node in nodes], place)


def indent(project: Project) -> None:
    """The selected layers into the group next to them: the end of that above, else the top of that below.

    Raises EditError where there is none.
    """
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        place = _place_inside(project.network, nodes)
        group = project.network.node(place.parent or "")
        move(project, [node.id for node in nodes], place, f" into {group.title}")


def outdent(project: Project) -> None:
    """The selected layers out of their group: to after it, or to before it where they are its first ones.

    Raises EditError where they are in none.
    """
    network = project.network
    nodes = edits.outermost(network, project.selection)
    if not nodes:
        return
    parent = network.place(nodes[0].id).parent
    if parent is None:
        raise edits.EditError(f"{nodes[0].title} is in no group")
    around, siblings = network.place(parent), network.children(parent)
    are_first = len(nodes) < len(siblings) and nodes == list(siblings[: len(nodes)])
    place = Place(around.parent, around.index if are_first else around.index + 1)
    move(project, [node.id for node in nodes], place, f" out of {network.node(parent).title}")


def _place_inside(network: Network, nodes: Sequence[Node]) -> Place:
    first, last = network.place(nodes[0].id), network.place(nodes[-1].id)
    above = network.children(first.parent)[: first.index][-1:]
    below = network.children(last.parent)[last.index + 1 :][:1]
    if above and above[0].is_group:
        return Place(above[0].id, len(above[0].children))
    if below and below[0].is_group:
        return Place(below[0].id, 0)
    raise edits.EditError(
        f"there is no group next to {described(nodes)}: wrap what belongs together in one, "
        "or add one from the palette"
    )


def _place_above(network: Network, node_id: str) -> Place | None:
    place = network.place(node_id)
    if place.index == 0:
        return None if place.parent is None else network.place(place.parent)
    above = network.children(place.parent)[place.index - 1]
    return Place(above.id, len(above.children)) if above.is_group else Place(place.parent, place.index - 1)


def _place_below(network: Network, node_id: str) -> Place | None:
    place = network.place(node_id)
    siblings = network.children(place.parent)
    if place.index + 1 == len(siblings):
        if place.parent is None:
            return None
        around = network.place(place.parent)
        return Place(around.parent, around.index + 1)
    below = siblings[place.index + 1]
    return Place(below.id, 0) if below.is_group else Place(place.parent, place.index + 2)


def delete(project: Project, verb: str = "delete") -> None:
    """Without the selected layers; their neighbor is selected then."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        network = edits.remove(project.network, [node.id for node in nodes])
        neighbor = _neighbor(project.network, network, nodes)
        project.edit(f"{verb} {described(nodes)}", network, select=neighbor)


def _neighbor(before: Network, after: Network, removed: Sequence[Node]) -> list[str]:
    """What is nearest to removed nodes: the layer that follows, the one before, or the group around."""
    place = before.place(removed[-1].id)
    siblings = before.children(place.parent)
    following = [node.id for node in siblings[place.index + 1 :]]
    preceding = [node.id for node in reversed(siblings[: place.index])]
    candidates = [*following, *preceding, *([place.parent] if place.parent else [])]
    return next(([node_id] for node_id in candidates if node_id in after), [])


def duplicate(project: Project) -> None:
    """A copy of the selected layers after them."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        network, copies = edits.duplicate(project.network, [node.id for node in nodes])
        project.edit(f"duplicate {described(nodes)}", network, select=copies)


def toggle_enabled(project: Project) -> None:
    """Switches the selected layers off; on again where all of them are off."""
    nodes = [project.network.node(node_id) for node_id in project.selection]
    if nodes:
        enabled = not any(node.enabled for node in nodes)
        network = project.network
        for node in nodes:
            network = edits.replace(network, node.id, enabled=enabled)
        project.edit(f"switch {'on' if enabled else 'off'} {described(nodes)}", network)


def rename(project: Project, node_id: str, name: str) -> None:
    """Another name for a layer; an empty one gives it its type's name back."""
    node = project.network.node(node_id)
    new = clean_name(name)
    network = edits.replace(project.network, node_id, name=None if new == node.layer.type_name() else new)
    project.edit(f"rename {node.title}", network)


def rename_design(project: Project, name: str) -> None:
    """Another name for the design; an empty one changes nothing."""
    if clean_name(name) is not None:
        project.edit("rename design", edits.renamed(project.network, name))


def wrap(project: Project, kind: type[Group]) -> None:
    """The selected layers in a new group."""
    nodes = edits.outermost(project.network, project.selection)
    network, group_id = edits.wrap(project.network, [node.id for node in nodes], kind())
    project.edit(f"wrap {described(nodes)} in {kind.type_name()}", network, select=[group_id])


def unwrap(project: Project) -> None:
    """The layers of the selected group in place of it."""
    node = project.network.node(project.selection[-1])
    network = edits.unwrap(project.network, node.id)
    project.edit(f"unwrap {node.title}", network, select=[child.id for child in node.children])


def change(project: Project, ids: Sequence[str], name: str, value: Any, merge: Hashable | None) -> None:
    """One parameter of some layers of one type. Raises ParameterError."""
    nodes = [project.network.node(node_id) for node_id in ids]
    network = project.network
    for node in nodes:
        layer = dataclasses.replace(node.layer, **{name: value})
        network = edits.replace(network, node.id, layer=layer)
    words = name.replace("_", " ")
    project.edit(f"change {words} of {described(nodes)}", network, merge=merge and (merge, tuple(ids), name))


def set_input(project: Project, shape: Shape, merge: Hashable | None) -> None:
    """Another size of the images that the network takes."""
    project.edit("change input size", edits.with_input(project.network, shape), merge=merge)


def to_mime(nodes: Sequence[Node]) -> QMimeData:
    """Layers for a drag or the clipboard; other programs get them as text."""
    text = layers_to_text(nodes)
    data = QMimeData()
    data.setData(MIME, QByteArray(text.encode()))
    data.setText(text)
    return data


def new_node(kind: type[Layer]) -> Node:
    """A node to drag from the palette; it gets an id of its own where it lands."""
    return IdMaker().node(kind())


def holds_layers(data: QMimeData) -> bool:
    """Whether a drag or the clipboard has layers, or text that seems to be layers or a design as JSON."""
    if data.hasFormat(MIME):
        return True
    text = data.text()
    return text.lstrip()[:1] in ("{", "[") and ('"cnnstudio.' in text or '"type"' in text)


def layers_in(data: QMimeData) -> str:
    """The JSON of a drag or of the clipboard, for `layers_from_text`."""
    return bytes(data.data(MIME).data()).decode("utf-8", "replace") if data.hasFormat(MIME) else data.text()


def nodes_from_mime(data: QMimeData, network: Network) -> list[Node]:
    """The layers in a drag or on the clipboard, under ids that are fresh in `network`. Raises DesignError."""
    return layers_from_text(layers_in(data), network)
