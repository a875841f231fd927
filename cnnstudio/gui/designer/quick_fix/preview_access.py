"""The window's one preview of fixes: loaded and made when it is first wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QWidget

from cnnstudio.gui.designer.quick_fix.targets import PREVIEW_CARD
from cnnstudio.gui.document.project import Project

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.preview_card import FixPreview


def fix_preview(project: Project, widget: QWidget) -> FixPreview:
    """The card of the window that `widget` is in."""
    from cnnstudio.gui.designer.quick_fix.preview_card import FixPreview

    return present_preview(widget) or FixPreview(project, widget.window())


def present_preview(widget: QWidget) -> FixPreview | None:
    """The same, if there is one by now."""
    own = Qt.FindChildOption.FindDirectChildrenOnly
    # PySide6 says that there always is one.
    return cast("FixPreview | None", widget.window().findChild(QFrame, PREVIEW_CARD, own))
