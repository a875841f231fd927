"""The button above the layer list that counts the tips on the design, and opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QPushButton

from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.advice_panel import AdvicePanel


class AdviceButton(QPushButton):
    """Reads `2 tips`; hidden if there are none."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._panel: AdvicePanel | None = None
        self.setObjectName("adviceCount")
        self.setProperty("role", "quiet")
        self.setFont(theme().font("help"))
        theme().bind_icon(self, "advice", "secondary")
        self.clicked.connect(self.open_panel)
        advice_service(project).changed.connect(self._show)
        self._show()

    def open_panel(self) -> None:
        """Opens the panel, even if all advice has been dismissed."""
        from cnnstudio.gui.designer.quick_fix.advice_panel import AdvicePanel

        if self._panel is None:
            self._panel = AdvicePanel(self._project, self.window())
        self._panel.open(self, self.rect())

    def _show(self, *_: object) -> None:
        shown = advice_service(self._project).shown
        self.setVisible(bool(shown))
        self.setText(pluralize(len(shown), "tip"))
        self.setToolTip("Show suggestions for this network")
        self.setAccessibleDescription(". ".join(advice.message for advice in shown[:3]))
