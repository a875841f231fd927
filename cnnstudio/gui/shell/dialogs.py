"""Opens the window's dialogs. Each one is imported on first use, so that the window starts sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QWidget

from cnnstudio import __version__
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.widgets.actions import ActionSet
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.training.recipe.built_in import RECIPES

if TYPE_CHECKING:
    from cnnstudio.design.templates import Template
    from cnnstudio.gui.compare.seed_comparison import SeedComparison
    from cnnstudio.gui.training.start_from.choice import StartFrom

_EDGE, _TITLE = 8, 40
"""Around a dialog, and for its title bar, in pixels."""
_NOTHING_UNSAVED = "There are no unsaved designs of earlier sessions: nothing was lost."


class Dialogs(QObject):
    """The dialogs for designs, data sets and help, all on top of `window`."""

    message = Signal(object)
    """Why a dialog was not opened, a Message."""
    data_sets_changed = Signal()
    """The data sets dialog was closed, so the available data sets may have changed."""
    data_sets_followed = Signal(object)
    """The ListChanges of another program; an open data sets dialog shows them."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        settings: Settings,
        documents: Documents,
        run_folder: Callable[[], Path | None],
        actions: Callable[[], Iterable[ActionSet[Any]]],
        start: Callable[[], StartFrom],
        window: QWidget,
    ) -> None:
        """`run_folder` returns the folder of the displayed run, `actions` all actions of the window, and
        `start` what training starts from.
        """
        super().__init__(window)
        self._project = project
        self._session = session
        self._settings = settings
        self._documents = documents
        self._run_folder = run_folder
        self._actions = actions
        self._start = start
        self._window = window
        self._seeds: SeedComparison | None = None

    def _open(self, dialog: QDialog) -> None:
        self._fit(dialog)
        dialog.open()

    def _fit(self, dialog: QDialog) -> None:
        """Makes a dialog that is larger than the screen as small as it has to be."""
        free = self._window.screen().availableSize()
        dialog.resize(
            dialog.size().boundedTo(QSize(free.width() - 2 * _EDGE, free.height() - _TITLE - _EDGE))
        )

    def show_templates(self) -> None:
        """Shows the gallery of templates."""
        from cnnstudio.design.adaptation import fit_to_data
        from cnnstudio.gui.templates.dialog import TemplateDialog

        dialog = TemplateDialog(self._window, recipe=self._project.recipe.name)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def open_template(template: Template) -> None:
            network = template.network
            if network.weights is not None and self._project.classes:
                # The last layer of pretrained weights has the classes of pretraining.
                network = fit_to_data(network, self._project.classes, self._project.image_shape)
            if self._documents.open_template(network) and dialog.recipe is not None:
                self._project.set_recipe(RECIPES[dialog.recipe])

        dialog.chosen.connect(open_template)
        self._open(dialog)

    def show_unsaved(self) -> None:
        """Shows the unsaved designs of sessions that ended in a crash."""
        from cnnstudio.gui.document.unsaved_dialog import UnsavedDialog

        if not self._documents.autosave.found:
            self.message.emit(Message(_NOTHING_UNSAVED))
            return
        dialog = UnsavedDialog(self._documents, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._open(dialog)

    def show_import(self, path: Path | None = None) -> None:
        """Shows the import dialog for Keras and PyTorch code, with the file at `path` loaded if given."""
        from cnnstudio.gui.interchange.dialog import ImportDialog

        dialog = ImportDialog(self._project, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(self._documents.opened)
        dialog.onnx_wanted.connect(self.show_onnx)
        self._open(dialog)
        if path is not None:
            dialog.open_file(path)

    def show_onnx(self, path: Path) -> None:
        """Shows the import dialog for the ONNX file at `path`."""
        from cnnstudio.gui.interchange.onnx_dialog import OnnxDialog

        dialog = OnnxDialog(self._project, self._start(), self._session, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(self._documents.opened)
        self._open(dialog)
        dialog.open_file(path)

    def show_compare(self) -> None:
        """Shows the comparison with another design. It is not modal, and only one is open at a time."""
        from cnnstudio.gui.compare.designs import known_designs, known_results
        from cnnstudio.gui.compare.dialog import CompareDialog

        dialog = self._window.findChild(CompareDialog)
        if dialog is None:
            folder = self._run_folder()
            designs = known_designs(self._project.path, folder, self._settings.recent_files)
            known = partial(known_results, folder)
            dialog = CompareDialog(self._project, list(designs), self._seed_comparison(), self._window, known)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._fit(dialog)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def compare_runs(self, folders: object) -> None:
        """Shows two runs side by side. It is not modal, and several can be open."""
        from cnnstudio.gui.compare.run_comparison import RunComparison

        assert isinstance(folders, tuple)
        dialog = RunComparison(folders, self._window, self._settings)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._fit(dialog)
        dialog.show()

    def _seed_comparison(self) -> SeedComparison:
        """Not a part of the dialog, which may be closed while the runs are trained."""
        from cnnstudio.gui.compare.seed_comparison import SeedComparison

        if self._seeds is None:
            self._seeds = SeedComparison(self._session, self)
            self._seeds.ended.connect(lambda text: self.message.emit(Message(str(text))))
        return self._seeds

    def show_data_sets(self) -> None:
        """Shows the data sets: downloads, archives and image folders."""
        from cnnstudio.gui.data.dialog import DataDialog

        dialog = DataDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.data_sets.show_used(self._project.dataset_name)
        dialog.chosen.connect(lambda name: self._project.set_dataset(str(name), None))
        dialog.finished.connect(lambda _: self.data_sets_changed.emit())
        self.data_sets_followed.connect(dialog.data_sets.refresh)
        self._open(dialog)

    def save_drawing(self) -> None:
        """Asks for a file and saves the drawing of the network."""
        from cnnstudio.gui.designer.diagram.drawing_view import save_drawing_as

        save_drawing_as(self._window, self._project)

    def show_shortcuts(self) -> None:
        """Lists all commands and their shortcuts."""
        from cnnstudio.gui.shell.help.shortcuts_dialog import ShortcutsDialog

        self._open(ShortcutsDialog(self._actions(), self._window))

    def show_about(self) -> None:
        """Shows name, version and license."""
        box = MessageBox(
            self._window,
            "About CNN Studio",
            f"CNN Studio {__version__}",
            "Design, train and explore convolutional networks.\nMIT license.",
            answers=(Answer("close", "&Close", default=True, escape=True),),
        )
        box.show_message()
