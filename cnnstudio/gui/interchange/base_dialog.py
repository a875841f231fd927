"""The base class of the dialogs that import a network: what was read, its fixes, and where it goes."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDialog, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network
from cnnstudio.design.quick_fixes import apply_fix
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.designer.paste_code import insert_layers
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.interchange.import_choice import ImportChoice, import_button
from cnnstudio.gui.interchange.result_view import ResultView
from cnnstudio.layers.base import Fix


class NetworkImportDialog(QDialog):
    """Shows a network before it is imported; a fix may change it. Subclasses read it."""

    _choice: ImportChoice
    """Whether the network replaces the open design; subclasses make it, with their options."""

    def __init__(self, name: str, title: str, size: QSize, project: Project, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.resize(size)
        self._project = project
        self._task: IoTask | None = None
        self._result = ResultView()
        self._result.fix_chosen.connect(self._on_fix)
        self._import = import_button()
        self._import.clicked.connect(self._on_import)

    # For subclasses

    @property
    def network(self) -> Network | None:
        """What would be imported; None if nothing was read."""
        raise NotImplementedError

    def show_fixed(self, network: Network) -> None:
        """Shows the network after a fix, in place of what was read."""
        raise NotImplementedError

    def import_as_design(self) -> None:
        """Replaces the open design, and closes the dialog once that is done. May raise UserError."""
        raise NotImplementedError

    def _on_fix(self, problem: Problem, fix: Fix) -> None:
        """Applies a fix to the imported network, before it is imported."""
        network = self.network
        if network is None:
            return
        try:
            fixed = apply_fix(network, problem, fix)
        except UserError as error:
            self._result.show_text(str(error), is_error=True)
            return
        self.show_fixed(fixed)
        # The button that was pressed is gone, and the focus would move to the top of the dialog.
        self._import.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_import(self) -> None:
        network = self.network
        if network is None:
            return
        try:
            if self._choice.is_replacing:
                self.import_as_design()
            else:
                insert_layers(self._project, network)
                self.accept()
        except UserError as error:
            self._result.show_text(str(error), is_error=True)
