"""The Train page: is it learning, and what does it see?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.dashboard.maps.run_maps import RunMaps
from cnnstudio.gui.dashboard.remembered_choices import RememberedChoices
from cnnstudio.gui.dashboard.views.catalog import view_types
from cnnstudio.gui.dashboard.views.feature_maps import FeatureMapsInPanel
from cnnstudio.gui.dashboard.views.panel import ViewGroup
from cnnstudio.gui.dashboard.views.readings import MomentSource
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.curves_panel import CurvesPanel
from cnnstudio.gui.pages.layer_strip import LayerStrip
from cnnstudio.gui.pages.page import Page
from cnnstudio.gui.runs.shown_run import ShownRun

_MAPS = FeatureMapsInPanel.name


class TrainPage(Page):
    """The layers, the curves, and the feature maps of the chosen layer, large."""

    title: ClassVar[str] = "Train"

    def __init__(
        self,
        project: Project,
        shown: ShownRun,
        clock: FrameClock,
        source: MomentSource,
        settings: Settings,
    ) -> None:
        super().__init__(settings)
        self.strip = LayerStrip(shown)
        self.curves = CurvesPanel(project, shown, clock, settings)
        self.views = ViewGroup(source, "train", self)
        remembers_views(self, self.views)
        last = self.remembered("view")
        self.view_panel = self.views.panel(last if last in view_types() else _MAPS)
        self.view_panel.view_changed.connect(lambda name: self.remember("view", str(name)))
        # What other programs look for is there from the start.
        self.ensure_built()

    @property
    def maps(self) -> RunMaps:
        """The feature maps, whether they are shown or another view is."""
        view = self.views.view(_MAPS)
        assert isinstance(view, FeatureMapsInPanel)
        assert isinstance(view.maps, RunMaps)
        return view.maps

    @property
    def panels(self) -> Sequence[QWidget]:
        return self.strip, self.curves, self.view_panel

    def build(self) -> QWidget:
        remembers_strip(self, self.strip)
        parts = (self.strip, self.curves, self.view_panel)
        # In a large window the curves are no narrow strip beside the maps.
        shares = {1: 1 / 3}
        return self.splitter("columns", Qt.Orientation.Horizontal, parts, (240, 418, 582), 2, shares=shares)

    def fold(self, is_narrow: bool) -> None:
        fold_strip(self, self.strip, is_narrow, folded_at_first=False)


def remembers_strip(page: Page, strip: LayerStrip) -> None:
    """The page remembers whether the user folded its list of layers."""

    def on_changed(is_rail: object) -> None:
        page.remember("strip", "rail" if is_rail else "list")
        page.refit()

    strip.rail_changed.connect(on_changed)


def remembers_views(page: Page, views: ViewGroup) -> None:
    """The page remembers which of its views stay at which epoch, and how they are drawn."""
    views.remember_choices(RememberedChoices(page.remembered("choices"), partial(page.remember, "choices")))
    views.restore_pins(page.remembered("pins"))
    views.pins_changed.connect(lambda: page.remember("pins", views.pins))


def fold_strip(page: Page, strip: LayerStrip, is_narrow: bool, *, folded_at_first: bool) -> None:
    """Folds the list of layers in a narrow window, else leaves it as the user wants it on this page."""
    choice = page.remembered("strip")
    strip.set_rail(is_narrow or (choice == "rail" if choice else folded_at_first))
