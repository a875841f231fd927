"""Code that was read, as an edit of the open design: in place of it, or as layers in it."""

from __future__ import annotations

from cnnstudio.core.formatting import plural
from cnnstudio.design.network import Network
from cnnstudio.gui.designer import commands
from cnnstudio.gui.document.project import Project
from cnnstudio.interchange.reading import CodeError, Imported, read_code
from cnnstudio.training.recipe.recipe import LESSON, Recipe, possible_fields

_LONGEST_PASTE = 200_000
"""Characters. Reading more takes longer than a key may; the dialog reads behind the window."""
_SIGNS = ("Sequential", "nn.", "keras", "layers.", ".add(", "nn.Module")


def seems_code(text: str) -> bool:
    """Whether a text on the clipboard is worth reading as code; a quick look, no promise."""
    return "(" in text and any(sign in text for sign in _SIGNS)


def recipe_of(imported: Imported) -> tuple[Recipe | None, tuple[str, ...]]:
    """How the code trains, None where it says nothing; and half a sentence on each value that cannot be.

    What it leaves open, or no recipe can have, is as in the lesson.
    """
    fields, complaints = possible_fields(imported.recipe)
    return LESSON.replace(name="from code", **fields) if fields else None, complaints


def replace_design(project: Project, network: Network, recipe: Recipe | None) -> None:
    """The code's network in place of the open one, and its recipe if there is one, as one undo step."""
    project.edit("import code", network, select=(), recipe=recipe)


def insert_layers(project: Project, network: Network) -> None:
    """The code's layers after the selection; an empty design becomes the code's whole network."""
    if project.network.nodes:
        fresh = project.network.fresh_ids()
        nodes = [fresh.copy(node) for node in network.nodes]
        commands.insert(project, nodes, commands.place_after_selection(project), "import")
    else:
        replace_design(project, network, None)


def paste_text(project: Project, text: str) -> None:
    """The layers of code on the clipboard after the selection, and a sentence on what was left out of it.

    Raises CodeError where they cannot be read.
    """
    if not seems_code(text):
        raise CodeError("The clipboard holds no layers: copy some first.")
    if len(text) > _LONGEST_PASTE:
        raise CodeError("The clipboard holds very much code: read it by File ▸ Import code….")
    imported = read_code(text)
    # As layers they come in the way of all layers, with a question before very many.
    commands.bring(project, commands.to_mime(imported.network.nodes), verb="paste")
    if imported.notes:
        first, more = imported.notes[0], len(imported.notes) - 1
        others = f" {plural(more, 'more remark')}: File ▸ Import code… shows them." if more else ""
        project.message.emit(f"Line {first.line}: {first.text}.{others}")
