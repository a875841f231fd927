"""The curves of the run on show: what is plotted, how, and beside which other runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QMenu, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_duration
from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.dashboard.menu_choice import MenuChoice
from cnnstudio.gui.dashboard.round_button import RoundButton
from cnnstudio.gui.dashboard.views.parts.help_card import QUESTION, HelpCard
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.panel_parts import SIDE, PanelFoot, PanelHead, fill
from cnnstudio.gui.plots.companion_list import CompanionList
from cnnstudio.gui.plots.companions import Companion, companions_of
from cnnstudio.gui.plots.curve_plot import CurvePlot
from cnnstudio.gui.plots.export import PlotMenu
from cnnstudio.gui.plots.learning import LearningView
from cnnstudio.gui.plots.options import RADIUS, CurveOptions
from cnnstudio.gui.plots.options_menu import OptionsMenu
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Panel
from cnnstudio.gui.widgets.message_bar import Message

if TYPE_CHECKING:
    from cnnstudio.training.preflight.profiling import TrainingEstimate
    from cnnstudio.training.preflight.quick_estimate import QuickEstimate

_KEY = "curves"
_LEAST_WIDTH = 240
_HELP = (
    "The curves show how well the network does while it learns: in blue on the batches that it trains on, in "
    "orange on validation images, which it never trains on. If the orange line gets worse while the blue one "
    "gets better, the network overfits: the gap is shaded. Drag or turn the wheel to zoom, double-click to "
    "see the whole run, click a name in a legend to hide its line."
)


class CurvesPanel(Panel):
    """Plots below each other, over the epochs of the run on show."""

    message = Signal(object)
    """A Message about a file that was or could not be saved, or a run that cannot be read."""

    def __init__(self, project: Project, shown: ShownRun, clock: FrameClock, settings: Settings) -> None:
        super().__init__("curvesPanel")
        # Its head needs more; on a small screen the window must fit nevertheless.
        self.setMinimumWidth(_LEAST_WIDTH)
        self._project = project
        self._shown = shown
        self._clock = clock
        self._settings = settings
        self._help: HelpCard | None = None
        self.learning = LearningView()
        self.learning.set_options(CurveOptions.from_text(settings.text(_KEY)))
        self.runs = CompanionList()
        self._make_head()
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(SIDE, 0, SIDE, 8)
        column.addWidget(self.learning)
        fill(self, self._head, body, PanelFoot(self.runs), hero=body)
        clock.frame.connect(self.draw)
        project.recipe_changed.connect(clock.refresh)
        for signal in (project.network_changed, project.recipe_changed, project.dataset_changed):
            signal.connect(self._forget_estimate)
        shown.overlays.changed.connect(clock.refresh)
        shown.overlays.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        self.learning.hovered.connect(lambda _: self.runs.show_epoch(self._epoch))
        self.learning.menu_wanted.connect(self._on_plot_menu)
        self.runs.hidden.connect(self._on_hidden)
        self.runs.previous_wanted.connect(lambda: self.set_options(self.options.replace(previous=True)))

    def _make_head(self) -> None:
        tooltip = "How much the line of the training values is smoothed"
        self.smoothing = MenuChoice("curvesSmoothing", "Smoothing", {key: key for key in RADIUS}, tooltip)
        if self.options.smoothing != self.smoothing.value:
            self.smoothing.choose(self.options.smoothing)
        self.smoothing.changed.connect(self._on_smoothing)
        self.show_button = QPushButton("Show ▾")
        self.show_button.setObjectName("curvesShow")
        self.show_button.setProperty("role", "small")
        self.show_button.setFont(theme().font("help"))
        self.show_button.setToolTip("Choose the plots and how they are drawn")
        self.options_menu = OptionsMenu(lambda: self.options, self)
        self.options_menu.changed.connect(self.set_options)
        self.show_button.clicked.connect(lambda: self._open(self.options_menu, self.show_button))
        self.help_button = RoundButton("curvesHelp", "?", QUESTION)
        self.help_button.clicked.connect(self._on_help)
        self.menu_button = RoundButton("curvesMenu", "⋯", "Copy, save or reset the curves")
        self.menu_button.clicked.connect(self._open_menu)
        buttons = (self.smoothing, self.show_button, self.help_button, self.menu_button)
        self._head = PanelHead("Curves", *buttons)

    def show_estimate(self, estimate: TrainingEstimate | QuickEstimate) -> None:
        """Says how long the training will take, until what would be trained changes."""
        self.learning.show_duration("" if estimate.seconds is None else format_duration(estimate.seconds))

    def _forget_estimate(self, _: object) -> None:
        self.learning.show_duration("")

    # Options

    @property
    def options(self) -> CurveOptions:
        return self.learning.options

    def set_options(self, options: CurveOptions) -> None:
        """Shows the curves in another way, also the next time."""
        self._settings.set_text(_KEY, options.to_text())
        self.learning.set_options(options)
        self.draw()

    def _on_smoothing(self, smoothing: object) -> None:
        self.set_options(self.options.replace(smoothing=smoothing))

    def _on_hidden(self, companion: Companion) -> None:
        overlay = companion.overlay
        if overlay is not None and overlay.is_previous:
            self.set_options(self.options.replace(previous=False))
        elif overlay is not None:
            self._shown.overlays.remove(overlay.folder)

    # Drawing

    def draw(self) -> None:
        """Draws the run at the cursor."""
        if not self.isVisible():
            return
        cursor, record = self._shown.cursor, self._shown.record
        history = record.history
        self._shown.overlays.look_for_previous(record)
        runs = self._shown.overlays.runs
        shown = [each for each in runs if self.options.previous or not each.is_previous]
        companions = companions_of(shown, history, self.options.align)
        self.runs.show_runs(companions, self._epoch, previous_hidden=len(shown) < len(runs))
        self.learning.set_companions(companions)
        self.learning.set_cursor(cursor.epoch)
        epochs = self._project.recipe.epochs if history.started is None else history.total_epochs
        self.learning.show_history(history, epochs, cursor.is_live)

    @property
    def _epoch(self) -> float | None:
        """The epoch whose values are shown: under the mouse, or at the cursor, or where the run is."""
        cursor, history = self._shown.cursor, self._shown.record.history
        if self.learning.hover is not None:
            return self.learning.hover
        return cursor.epoch if cursor.epoch is not None else history.position or None

    # Menus

    def _open(self, menu: QMenu, button: QWidget) -> None:
        menu.popup(button.mapToGlobal(QPoint(0, button.height())))

    def _open_menu(self) -> None:
        menu = self._menu_of("Curves", self.learning, None)
        width = menu.sizeHint().width()
        button = self.menu_button
        menu.popup(button.mapToGlobal(QPoint(button.width() - width, button.height())))

    def _on_plot_menu(self, plot: CurvePlot, position: QPoint) -> None:
        self._menu_of(plot.quantity.title, plot, plot).popup(position)

    def _menu_of(self, title: str, widget: QWidget, plot: CurvePlot | None) -> QMenu:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        plots = [plot] if plot is not None else self.learning.shown_plots
        PlotMenu(title, widget, plots, self.learning.reset_zoom, self.message.emit).fill(menu)
        return menu

    def _on_help(self) -> None:
        if self._help is None:
            self._help = HelpCard(self.window())
        self._help.explain("Curves", _HELP, self.help_button)
