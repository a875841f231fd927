"""Opens the window's dialogs. Each is loaded when it is first wanted: the window starts without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from cnnstudio import __version__
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.training.recipe.recipe import RECIPES

if TYPE_CHECKING:
    from cnnstudio.design.templates import Template

_STILL_TRAINING = "The model can be exported when training has ended: press Stop, or wait for it."
_NO_MODEL = "There is no trained model yet: press Train, or open an earlier run (Run ▸ Open a run…)."


class Dialogs(QObject):
    """The dialogs about designs, data sets, export and the program itself, above `window`."""

    message = Signal(object)
    """A Message: why a dialog was not opened."""
    data_sets_changed = Signal()
    """The dialog of data sets was closed: there may be others than before."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        settings: Settings,
        documents: Documents,
        run_folder: Callable[[], Path | None],
        window: QWidget,
    ) -> None:
        """`run_folder` gives the folder of the run that is shown."""
        super().__init__(window)
        self._project = project
        self._session = session
        self._settings = settings
        self._documents = documents
        self._run_folder = run_folder
        self._window = window

    def show_templates(self) -> None:
        """The gallery of designs to start from."""
        from cnnstudio.gui.templates.dialog import TemplateDialog

        dialog = TemplateDialog(self._window, recipe=self._project.recipe.name)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def begin(template: Template) -> None:
            if self._documents.open_template(template.network) and dialog.recipe is not None:
                self._project.set_recipe(RECIPES[dialog.recipe])

        dialog.chosen.connect(begin)
        dialog.open()

    def show_import(self, path: Path | None = None) -> None:
        """Code of Keras or PyTorch as layers; that in a file, or what is pasted there."""
        from cnnstudio.gui.interchange.dialog import ImportDialog

        dialog = ImportDialog(self._project, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        if path is not None:
            dialog.open_file(path)

    def show_compare(self) -> None:
        """The comparison with another design; it stays open beside the window, and there is one of it."""
        from cnnstudio.gui.compare.designs import known_designs, known_results
        from cnnstudio.gui.compare.dialog import CompareDialog

        dialog = self._window.findChild(CompareDialog)
        if dialog is None:
            folder = self._run_folder()
            designs = known_designs(self._project.path, folder, self._settings.recent_files)
            known = partial(known_results, folder)
            dialog = CompareDialog(self._project, list(designs), self._window, known)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def show_data_sets(self) -> None:
        """Data sets: download, own archive, image folders."""
        from cnnstudio.gui.data.dialog import DataDialog

        dialog = DataDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chosen.connect(lambda name: self._project.set_dataset(str(name), None))
        dialog.finished.connect(lambda _: self.data_sets_changed.emit())
        dialog.open()

    def show_export(self) -> None:
        """Export of the run that the dashboard shows; says what is missing where there is none."""
        from cnnstudio.gui.export.dialog import ExportDialog

        folder = self._run_folder()
        if self._session.state is not State.IDLE:
            self.message.emit(Message(_STILL_TRAINING))
        elif folder is None or not (folder / "checkpoints").is_dir():
            self.message.emit(Message(_NO_MODEL))
        else:
            dialog = ExportDialog(self._session, folder, self._window)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

    def save_drawing(self) -> None:
        """Asks where to save the drawing of the network."""
        from cnnstudio.gui.designer.diagram.drawing_view import ask_and_save

        ask_and_save(self._window, self._project)

    def show_shortcuts(self) -> None:
        """All keys, read off the actions themselves."""
        from cnnstudio.gui.shell.shortcuts_dialog import ShortcutsDialog

        ShortcutsDialog(self._window).open()

    def show_about(self) -> None:
        """Name, version and license."""
        QMessageBox.about(
            self._window,
            "About CNN Studio",
            f"<b>CNN Studio {__version__}</b><p>Draw a convolutional network, train it, watch it learn, "
            "and take the model away.</p><p>MIT license.</p>",
        )
