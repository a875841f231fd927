"""Opens the dialogs about designs. Each is loaded when it is first wanted: the window starts without."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from cnnstudio.training.recipe.recipe import RECIPES

if TYPE_CHECKING:
    from cnnstudio.design.templates import Template
    from cnnstudio.gui.shell.main_window import MainWindow


def show_templates(window: MainWindow) -> None:
    """The gallery of designs to start from."""
    from cnnstudio.gui.templates.dialog import TemplateDialog

    dialog = TemplateDialog(window, recipe=window.project.recipe.name)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    def begin(template: Template) -> None:
        if window.documents.open_template(template.network) and dialog.recipe is not None:
            window.project.set_recipe(RECIPES[dialog.recipe])

    dialog.chosen.connect(begin)
    dialog.open()


def show_import(window: MainWindow, path: Path | None = None) -> None:
    """Code of Keras or PyTorch as layers; that in a file, or what is pasted there."""
    from cnnstudio.gui.interchange.dialog import ImportDialog

    dialog = ImportDialog(window.project, window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    if path is not None:
        dialog.open_file(path)


def show_compare(window: MainWindow) -> None:
    """The comparison with another design; it stays open beside the window, and there is one of it."""
    from cnnstudio.gui.compare.designs import known_designs, known_results
    from cnnstudio.gui.compare.dialog import CompareDialog

    dialog = window.findChild(CompareDialog)
    if dialog is None:
        designs = known_designs(window.project.path, window.run_folder, window.settings.recent_files)
        known = partial(known_results, window.run_folder)
        dialog = CompareDialog(window.project, list(designs), window, known)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
