"""The Explore page: views of the run on show, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QWidget

from cnnstudio.gui.dashboard.views.catalog import view_types
from cnnstudio.gui.dashboard.views.panel import ViewGroup, ViewPanel
from cnnstudio.gui.dashboard.views.readings import MomentSource
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.layer_strip import LayerStrip
from cnnstudio.gui.pages.page import NARROW, Page
from cnnstudio.gui.pages.train_page import fold_strip, remembers_strip, remembers_views
from cnnstudio.gui.runs.shown_run import ShownRun

_VIEWS = ("viewConfusion", "viewMistakes", "viewCalibration")
_WIDE = 1680
"""The width of the window from which a third view is shown."""


class ExplorePage(Page):
    """The layers as a rail, and one to three views, as many as there is room for."""

    title: ClassVar[str] = "Explore"

    run_wanted = Signal()
    """There is no run to look at, and the user wants to choose one."""

    def __init__(self, shown: ShownRun, source: MomentSource, settings: Settings) -> None:
        super().__init__(settings)
        self._shown = shown
        # Each view has its name from the start; its content is created when it is first shown.
        self.views = ViewGroup(source, "explore", self)
        remembers_views(self, self.views)
        self.view_panels: tuple[ViewPanel, ...] = ()
        self._open = QPushButton("Open a run…", self)
        self._open.setObjectName("openRun")
        self._open.setProperty("role", "outlined")
        self._open.setToolTip("Choose a run to look at")
        self._open.clicked.connect(self.run_wanted)
        shown.cursor.run_changed.connect(self._place_button)

    @property
    def panels(self) -> Sequence[QWidget]:
        return (self.strip, *self.view_panels) if self.view_panels else ()

    def build(self) -> QWidget:
        self.strip = LayerStrip(self._shown)
        self.view_panels = tuple(map(self.views.panel, self._remembered_views()))
        for panel in self.view_panels:
            panel.view_changed.connect(self._on_view_changed)
        self.view_panels[0].installEventFilter(self)
        remembers_strip(self, self.strip)
        parts = (self.strip, *self.view_panels)
        return self.splitter("columns", Qt.Orientation.Horizontal, parts, (240, 584, 600, 560), hero=2)

    def fold(self, is_narrow: bool) -> None:
        fold_strip(self, self.strip, is_narrow, folded_at_first=True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_panels()

    def _place(self) -> None:
        self._show_panels()
        super()._place()

    def _show_panels(self) -> None:
        """Shows one view in a narrow window, two in most, three in a wide one."""
        count = 1 if self.width() < NARROW else 2 if self.width() < _WIDE else 3
        changed = False
        for number, panel in enumerate(self.view_panels):
            changed = changed or panel.isHidden() == (number < count)
            panel.setVisible(number < count)
        if changed:
            self.refit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show):
            self._place_button()
        return False

    def _place_button(self, *_: object) -> None:
        """Below what the first view says of itself while there is no run."""
        self._open.setVisible(not self._shown.record.network.nodes and bool(self.view_panels))
        if self.view_panels:
            view = self.view_panels[0].view
            self._open.adjustSize()
            middle = view.mapTo(self, QPoint(view.width() // 2, view.below_message))
            self._open.move(middle.x() - self._open.width() // 2, middle.y())
            self._open.raise_()

    def _remembered_views(self) -> list[str]:
        """The views that were chosen last, each once; the usual ones in place of what is unknown."""
        known = [name for name in self.remembered("views").split() if name in view_types()]
        chosen = list(dict.fromkeys((*known, *_VIEWS)))
        return chosen[: len(_VIEWS)]

    def _on_view_changed(self, _: object) -> None:
        self.remember("views", " ".join(panel.view.name for panel in self.view_panels))
