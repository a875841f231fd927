"""Opens the dialogs about designs. Each is loaded when it is first wanted: the window starts without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

if TYPE_CHECKING:
    from cnnstudio.gui.main_window import MainWindow


def show_templates(window: MainWindow) -> None:
    """The gallery of designs to start from."""
    from cnnstudio.gui.templates.dialog import TemplateDialog

    dialog = TemplateDialog(window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.chosen.connect(lambda template: window.documents.open_template(template.network))
    dialog.open()
