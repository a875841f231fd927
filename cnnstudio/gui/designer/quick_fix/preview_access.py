"""Access to the window's one preview card, whose module is only imported when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QWidget

from cnnstudio.gui.designer.quick_fix.targets import PREVIEW_OBJECT_NAME
from cnnstudio.gui.document.project import Project

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.preview_card import FixPreviewCard


def preview_card(project: Project, widget: QWidget) -> FixPreviewCard:
    """The preview card of the window that contains `widget`; creates it if needed."""
    from cnnstudio.gui.designer.quick_fix.preview_card import FixPreviewCard

    return existing_preview_card(widget) or FixPreviewCard(project, widget.window())


def existing_preview_card(widget: QWidget) -> FixPreviewCard | None:
    """The preview card of the window that contains `widget`, or None if none has been created yet."""
    own = Qt.FindChildOption.FindDirectChildrenOnly
    # The stubs of PySide6 claim that findChild never returns None.
    return cast("FixPreviewCard | None", widget.window().findChild(QFrame, PREVIEW_OBJECT_NAME, own))
