"""Commands that edit the layers of a project; each is one undo step.

They pass on the errors of `design.edits`, which are one sentence for the user, when an edit is not possible.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Sequence
from typing import Any

from PySide6.QtCore import QByteArray, QMimeData

from cnnstudio.core.formatting import pluralize
from cnnstudio.design import edits
from cnnstudio.design.file import layers_from_text, layers_to_text
from cnnstudio.design.network import IdGenerator, Network, Node, Place, clean_name
from cnnstudio.gui.document.project import Project, Question
from cnnstudio.layers.base import Group, Layer, Shape

MIME = "application/x-cnnstudio-layers+json"
NEW_LAYER_MIME = "application/x-cnnstudio-new-layer"
"""Sent with a layer from the palette, whose parameters suit the place where it is dropped."""
_LESSON_CLASSES = 10
"""The number of classes where that of the data set is not known."""
CONFIRM_ABOVE = 1_000
"""Inserting more layers than this asks the user for confirmation first."""


def describe_nodes(nodes: Sequence[Node]) -> str:
    """What an undo step calls the nodes: `Conv2D`, or `3 layers`."""
    return nodes[0].title if len(nodes) == 1 else pluralize(len(nodes), "layer")


def place_after_selection(project: Project) -> Place:
    """The default place of a new layer: in a selected empty group, after the selection, or at the end."""
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
    """Adds a new layer of a type after the selection."""
    place = place_after_selection(project)
    _insert_new(project, [project.network.fresh_ids().node(kind())], place)


def _insert_new(project: Project, nodes: Sequence[Node], place: Place) -> None:
    """Inserts layers from the palette with the parameters that suit their place.

    A classifier that the palette has put at the end, and that is there no longer, becomes a hidden layer.
    """
    network, classes = project.network, project.classes or _LESSON_CLASSES
    is_last = place == Place(None, len(network.nodes))
    new = [
        dataclasses.replace(node, layer=node.layer.as_added(classes if is_last else None)) for node in nodes
    ]
    before = network.nodes[-1] if network.nodes else None
    changed = network
    if (
        is_last
        and before is not None
        and all(_is_untouched_end(node.layer, classes) for node in (before, *new))
    ):
        changed = edits.replace(network, before.id, layer=type(before.layer)().as_added(None))
    changed = edits.insert(changed, place, new)
    project.edit(f"add {describe_nodes(new)}", changed, select=[node.id for node in new])


def _is_untouched_end(layer: Layer, classes: int) -> bool:
    """Whether the layer is as the palette adds it at the end, and would be different elsewhere."""
    fresh = type(layer)()
    return fresh.as_added(None) != layer == fresh.as_added(classes)


def insert(project: Project, nodes: Sequence[Node], place: Place, verb: str = "add") -> None:
    """Inserts new nodes at a place and selects them."""
    network = edits.insert(project.network, place, nodes)
    project.edit(f"{verb} {describe_nodes(nodes)}", network, select=[node.id for node in nodes])


def insert_from_mime(
    project: Project, data: QMimeData, place: Place | None = None, verb: str = "add"
) -> None:
    """Inserts the layers of a drag or of the clipboard at a place; by default, after the selection.

    Asks for confirmation if there are more than CONFIRM_ABOVE. Raises DesignError if the data holds no
    valid layers.
    """
    text = layers_json(data)
    nodes = layers_from_text(text, project.network)
    target = place or place_after_selection(project)
    if data.hasFormat(NEW_LAYER_MIME):
        _insert_new(project, nodes, target)
        return
    number = sum(1 for node in nodes for _ in node.walk())
    if number <= CONFIRM_ABOVE:
        insert(project, nodes, target, verb)
        return

    def insert_all() -> None:
        # The network may have changed since the question was asked, and with it the ids that are free.
        fresh = layers_from_text(text, project.network)
        insert(project, fresh, place or place_after_selection(project), verb)

    question = f"{verb.capitalize()} {pluralize(number, 'layer')}?"
    project.question.emit(Question(question, verb.capitalize(), lambda: project.run_command(insert_all)))


def move(project: Project, ids: Collection[str], place: Place, where: str = "") -> None:
    """Moves layers to another place; `where` is appended to the name of the undo step."""
    nodes = edits.outermost(project.network, ids)
    network = edits.move(project.network, ids, place)
    project.edit(f"move {describe_nodes(nodes)}{where}", network, select=[node.id for node in nodes])


def move_up(project: Project) -> None:
    """Moves the selected layers up one place: past a layer, into the end of a group, or out of its top."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        place = _place_above(project.network, nodes[0].id)
        if place is not None:
            move(project, [node.id for node in nodes], place)


def move_down(project: Project) -> None:
    """Moves the selected layers down one place: past a layer, into the top of a group, or out of its end."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        place = _place_below(project.network, nodes[-1].id)
        if place is not None:
            move(project, [node.id for node in nodes], place)


def indent(project: Project) -> None:
    """Moves the selected layers into an adjacent group: the end of one above, else the top of one below.

    Raises EditError if neither neighbor is a group.
    """
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        place = _place_inside(project.network, nodes)
        group = project.network.node(place.parent or "")
        move(project, [node.id for node in nodes], place, f" into {group.title}")


def outdent(project: Project) -> None:
    """Moves the selected layers out of their group: just after it, or just before it if they are its first.

    Raises EditError if they are not in a group.
    """
    network = project.network
    nodes = edits.outermost(network, project.selection)
    if not nodes:
        return
    parent = network.place(nodes[0].id).parent
    if parent is None:
        raise edits.EditError(f"{nodes[0].title} is not in a group")
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
        f"there is no group next to {describe_nodes(nodes)}: "
        "wrap layers in a group or add one from the palette"
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
    """Deletes the selected layers and selects their neighbor."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        network = edits.remove(project.network, [node.id for node in nodes])
        neighbor = _neighbor(project.network, network, nodes)
        project.edit(f"{verb} {describe_nodes(nodes)}", network, select=neighbor)


def _neighbor(before: Network, after: Network, removed: Sequence[Node]) -> list[str]:
    """What to select once nodes are removed: the next layer, the previous one, or the enclosing group."""
    place = before.place(removed[-1].id)
    siblings = before.children(place.parent)
    following = [node.id for node in siblings[place.index + 1 :]]
    preceding = [node.id for node in reversed(siblings[: place.index])]
    candidates = [*following, *preceding, *([place.parent] if place.parent else [])]
    return next(([node_id] for node_id in candidates if node_id in after), [])


def duplicate(project: Project) -> None:
    """Inserts a copy of the selected layers after them."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        network, copies = edits.duplicate(project.network, [node.id for node in nodes])
        project.edit(f"duplicate {describe_nodes(nodes)}", network, select=copies)


def toggle_enabled(project: Project) -> None:
    """Disables the selected layers, or enables them again if all of them are disabled."""
    nodes = [project.network.node(node_id) for node_id in project.selection]
    if nodes:
        enabled = not any(node.enabled for node in nodes)
        network = project.network
        for node in nodes:
            network = edits.replace(network, node.id, enabled=enabled)
        project.edit(f"{'enable' if enabled else 'disable'} {describe_nodes(nodes)}", network)


def toggle_locked(project: Project) -> None:
    """Locks the selected layers, or unlocks them if all of them are locked."""
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        trainable = are_all_locked(project)
        network = edits.set_trainable(project.network, [node.id for node in nodes], trainable)
        project.edit(f"{'unlock' if trainable else 'lock'} {describe_nodes(nodes)}", network)


def are_all_locked(project: Project) -> bool:
    """Whether none of the selected layers learns."""
    network = project.network
    nodes = [network.node(node_id) for node_id in project.selection]
    return bool(nodes) and all(
        node.id in network.locked_ids or not getattr(node.layer, "trainable", True) for node in nodes
    )


def rename(project: Project, node_id: str, name: str) -> None:
    """Renames a layer; an empty name restores the name of its type."""
    node = project.network.node(node_id)
    new = clean_name(name)
    network = edits.replace(project.network, node_id, name=None if new == node.layer.type_name() else new)
    project.edit(f"rename {node.title}", network)


def rename_design(project: Project, name: str) -> None:
    """Renames the design; an empty name changes nothing."""
    if clean_name(name) is not None:
        project.edit("rename design", edits.rename(project.network, name))


def wrap(project: Project, kind: type[Group]) -> None:
    """Wraps the selected layers in a new group."""
    nodes = edits.outermost(project.network, project.selection)
    network, group_id = edits.wrap(project.network, [node.id for node in nodes], kind())
    project.edit(f"wrap {describe_nodes(nodes)} in {kind.type_name()}", network, select=[group_id])


def unwrap(project: Project) -> None:
    """Replaces the selected group by the layers in it."""
    node = project.network.node(project.selection[-1])
    network = edits.unwrap(project.network, node.id)
    project.edit(f"unwrap {node.title}", network, select=[child.id for child in node.children])


def set_parameter(
    project: Project, ids: Sequence[str], name: str, value: Any, merge: Hashable | None
) -> None:
    """Sets a parameter of layers of the same type. Raises ParameterError if the value is not valid."""
    nodes = [project.network.node(node_id) for node_id in ids]
    network = project.network
    for node in nodes:
        layer = dataclasses.replace(node.layer, **{name: value})
        network = edits.replace(network, node.id, layer=layer)
    label = f"change {name.replace('_', ' ')} of {describe_nodes(nodes)}"
    project.edit(label, network, merge=merge and (merge, tuple(ids), name))


def set_input(project: Project, shape: Shape, merge: Hashable | None) -> None:
    """Sets the shape of the input images."""
    project.edit("change input size", edits.set_input(project.network, shape), merge=merge)


def to_mime(nodes: Sequence[Node]) -> QMimeData:
    """Layers as data for a drag or the clipboard; other programs get the JSON as text."""
    text = layers_to_text(nodes)
    data = QMimeData()
    data.setData(MIME, QByteArray(text.encode()))
    data.setText(text)
    return data


def new_layer_mime(kinds: Sequence[type[Layer]]) -> QMimeData:
    """New layers to drag from the palette; they get their ids and parameters when they are dropped."""
    data = to_mime([new_node(kind) for kind in kinds])
    data.setData(NEW_LAYER_MIME, QByteArray())
    return data


def new_node(kind: type[Layer]) -> Node:
    """A node of the palette, as it is within a network."""
    return IdGenerator().node(kind().as_added(None))


def has_layers(data: QMimeData) -> bool:
    """Whether a drag or the clipboard has layers, or text that looks like layers or a design as JSON."""
    if data.hasFormat(MIME):
        return True
    text = data.text()
    return text.lstrip()[:1] in ("{", "[") and ('"cnnstudio.' in text or '"type"' in text)


def layers_json(data: QMimeData) -> str:
    """The JSON of a drag or of the clipboard, for `layers_from_text`."""
    return bytes(data.data(MIME).data()).decode("utf-8", "replace") if data.hasFormat(MIME) else data.text()


def nodes_from_mime(data: QMimeData, network: Network) -> list[Node]:
    """The layers of a drag or the clipboard, with ids that are free in `network`. Raises DesignError."""
    return layers_from_text(layers_json(data), network)
