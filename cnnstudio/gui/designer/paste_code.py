"""Inserts imported code into the open design, or replaces the design by it."""

from __future__ import annotations

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.network import Network
from cnnstudio.gui.designer import commands
from cnnstudio.gui.document.project import Project
from cnnstudio.interchange.reading import CodeError, ImportedDesign, read_code
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe, split_valid_fields

_MAX_PASTE_LENGTH = 200_000
"""Characters. Parsing more would block the window; the import dialog parses in the background."""
_CODE_MARKERS = ("Sequential", "nn.", "keras", "layers.", ".add(", "nn.Module")


def looks_like_code(text: str) -> bool:
    """Whether a text may be Python code of a network. Only a quick check: parsing it may still fail."""
    return "(" in text and any(marker in text for marker in _CODE_MARKERS)


def recipe_from_code(imported: ImportedDesign) -> tuple[Recipe | None, tuple[str, ...]]:
    """The recipe for how the code trains, None if it says nothing; and a message for each dropped value.

    Settings that the code leaves open, or that a recipe does not allow, are those of the lesson.
    """
    fields, messages = split_valid_fields(imported.recipe)
    return LESSON.replace(name="from code", **fields) if fields else None, messages


def replace_design(
    project: Project, network: Network, recipe: Recipe | None, dataset: str | None = None
) -> None:
    """Replaces the network, and the recipe and the data set unless they are None, as one undo step."""
    project.edit("import code", network, select=(), recipe=recipe, dataset=dataset)


def insert_layers(project: Project, network: Network) -> None:
    """Inserts the layers of `network` after the selection; in an empty design, replaces the whole network."""
    if project.network.nodes:
        fresh = project.network.fresh_ids()
        nodes = [fresh.copy(node) for node in network.nodes]
        commands.insert(project, nodes, commands.place_after_selection(project), "import")
    else:
        replace_design(project, network, None)


def paste_text(project: Project, text: str) -> None:
    """Inserts the layers of code from the clipboard after the selection; a message says what was left out.

    Raises CodeError if the text is not code with layers.
    """
    if not looks_like_code(text):
        raise CodeError("The clipboard contains no layers: copy some first.")
    if len(text) > _MAX_PASTE_LENGTH:
        raise CodeError("The code on the clipboard is too long to paste: use File ▸ Import…")
    imported = read_code(text)
    # Inserted like any other pasted layers, which asks for confirmation before adding very many.
    commands.insert_from_mime(project, commands.to_mime(imported.network.nodes), verb="paste")
    if imported.notes:
        first, more = imported.notes[0], len(imported.notes) - 1
        others = f" File ▸ Import… shows {pluralize(more, 'more note')}." if more else ""
        project.message.emit(f"Line {first.line}: {first.text}.{others}")
