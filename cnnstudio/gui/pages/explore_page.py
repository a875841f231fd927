"""The Explore page: views of the run on show, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.dashboard.maps.run_maps import RunMaps
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.layer_strip import LayerStrip
from cnnstudio.gui.pages.page import Page
from cnnstudio.gui.pages.train_page import MapsPanel, fold_strip, remembers_strip
from cnnstudio.gui.runs.shown_run import ShownRun


class ExplorePage(Page):
    """The layers as a rail, and what there is to see of them."""

    title: ClassVar[str] = "Explore"

    def __init__(
        self, session: TrainingSession, shown: ShownRun, clock: FrameClock, settings: Settings
    ) -> None:
        super().__init__(settings)
        self._session = session
        self._shown = shown
        self._clock = clock

    @property
    def panels(self) -> Sequence[QWidget]:
        return (self.strip, self.maps) if self._is_built else ()

    def build(self) -> QWidget:
        self.strip = LayerStrip(self._shown)
        self.strip.setObjectName("exploreStrip")
        maps = RunMaps(self._shown, self._session, self._clock)
        maps.grid.setObjectName("exploreMapGrid")
        self.maps = MapsPanel(maps)
        self.maps.setObjectName("exploreMaps")
        remembers_strip(self, self.strip)
        return self.splitter(
            "columns", Qt.Orientation.Horizontal, (self.strip, self.maps), (240, 1008), hero=1
        )

    def fold(self, is_narrow: bool) -> None:
        fold_strip(self, self.strip, is_narrow, folded_at_first=True)
