"""The Use page: try the network on an image, and export it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.dashboard.views.readings import MomentSource
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.export.panel import ExportPanel
from cnnstudio.gui.pages.page import Page
from cnnstudio.gui.pages.try_image.panel import TryPanel
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.theme.sizes import NO_LIMIT

_NARROW_EXPORT = 460
"""The most that the export takes in a narrow window, and Qt's value for no limit."""


class UsePage(Page):
    """What the run on show is good for: the answers of its network, and files of it."""

    title: ClassVar[str] = "Use"

    def __init__(
        self, session: TrainingSession, shown: ShownRun, source: MomentSource, settings: Settings
    ) -> None:
        super().__init__(settings)
        self._session = session
        self._shown = shown
        self.try_panel = TryPanel(source)
        # What other programs look for is there from the start.
        self.try_panel.setParent(self)
        self.export: ExportPanel | None = None
        session.state_changed.connect(self._on_state_changed)
        shown.cursor.run_changed.connect(self._show_run)

    @property
    def panels(self) -> Sequence[QWidget]:
        return (self.try_panel,) if self.export is None else (self.try_panel, self.export)

    def build(self) -> QWidget:
        self.export = ExportPanel(self._session)
        self._show_run()
        parts = (self.try_panel, self.export)
        return self.splitter("columns", Qt.Orientation.Horizontal, parts, (688, 560), hero=0)

    def fold(self, is_narrow: bool) -> None:
        if self.export is not None:
            self.export.setMaximumWidth(_NARROW_EXPORT if is_narrow else NO_LIMIT)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # Another run may have been opened while an export kept the panel.
        self._show_run()

    def _on_state_changed(self, state: object) -> None:
        if state is State.IDLE:
            self._show_run()

    def _show_run(self, *_: object) -> None:
        if self.export is not None:
            self.export.show_run(self._shown.record.folder)
