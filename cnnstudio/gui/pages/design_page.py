"""The Design page: the palette, the layer list, and the inspector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.palette.palette import Palette
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.live_strip import LiveStrip
from cnnstudio.gui.pages.page import GAP, Lazy, Page, PageSplitter, focus_panel
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.widgets.labels import Line, Panel
from cnnstudio.gui.widgets.tab_buttons import TabButtons
from cnnstudio.layers.base import Family

_LEAST_LIST_WIDTH = 300


class TabbedPanel(Panel):
    """Several views of the selection behind tabs; each is created when it is first shown."""

    def __init__(self, pages: Sequence[tuple[str, str, Callable[[], QWidget]]]) -> None:
        """`pages` are title, object name of the tab, and a function that creates the content."""
        super().__init__("inspectorPanel")
        self.tabs = TabButtons([(title, name) for title, name, _ in pages])
        self.tabs.setAccessibleName("Inspector, code and receptive field")
        self._stack = QStackedWidget()
        for _, _, create in pages:
            self._stack.addWidget(Lazy(create))
        head = QHBoxLayout()
        head.setContentsMargins(16, 0, 16, 0)
        head.addWidget(self.tabs)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(Line())
        column.addWidget(self._stack, 1)
        self.tabs.chosen.connect(lambda number: self._stack.setCurrentIndex(int(number)))
        first = self._stack.widget(0)
        assert isinstance(first, Lazy)
        first.ensure()

    def show_tab(self, number: int) -> QWidget:
        """Shows one of the views and returns it."""
        self.tabs.choose(number)
        shown = self._stack.widget(number)
        assert isinstance(shown, Lazy)
        shown.ensure()
        return shown


class DesignPage(Page):
    """Palette, layer list with the drawing below it, and inspector with the live strip below it."""

    title: ClassVar[str] = "Design"

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        shown: ShownRun,
        clock: FrameClock,
        settings: Settings,
    ) -> None:
        super().__init__(settings)
        self._project = project
        self._session = session
        self.layer_types = Palette(project)
        self._narrowness = ""
        names = self.remembered("folded_families").split()
        if names:
            self.layer_types.families.set_folded(family for family in Family if family.name in names)
        self.layer_types.families.changed.connect(self._remember_families)
        self.layer_types.rail_changed.connect(lambda _: self._remember_palette())
        self.layers = LayerList(project)
        # Its head would ask for more; on a small screen that would make the window larger than the screen.
        self.layers.setMinimumWidth(_LEAST_LIST_WIDTH)
        self.inspector = TabbedPanel(
            (
                ("Inspector", "tabInspector", lambda: _unframed(Inspector(project))),
                ("Code", "tabCode", self._create_code),
                ("Receptive field", "tabField", self._create_field),
            )
        )
        self.live = LiveStrip(project, shown, clock)
        self.drawing = Lazy(self._create_drawing)
        self.drawing.setObjectName("drawingPanel")
        self.drawing.hide()
        self.drawing_button = QPushButton("Drawing")
        self.drawing_button.setObjectName("showDrawing")
        self.drawing_button.setProperty("role", "small")
        self.drawing_button.setCheckable(True)
        self.drawing_button.setToolTip("Show or hide the drawing of the network")
        self.drawing_button.toggled.connect(self.drawing.setVisible)
        self.layers.add_to_head(self.drawing_button)
        # The field at the list's foot names this key, so it works from the palette and the inspector too.
        self.addAction(design_actions(project, self.layers)["actionInsert"])
        self.ensure_built()

    @property
    def panels(self) -> Sequence[QWidget]:
        return self.layers, self.layer_types, self.inspector, self.drawing

    def build(self) -> QWidget:
        center = self.splitter(
            "list", Qt.Orientation.Vertical, (self.layers, self.drawing), (400, 240), hero=0
        )
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(self.inspector, 1)
        column.addWidget(self.live)
        right.setMinimumWidth(280)
        parts = (self.layer_types, center, right)
        self._columns: PageSplitter = self.splitter(
            "columns", Qt.Orientation.Horizontal, parts, (212, 708, 320), hero=1, most=960
        )
        return self._columns

    def fold(self, is_narrow: bool) -> None:
        self._narrowness = "narrow" if is_narrow else "wide"
        choice = self.remembered(f"palette_{self._narrowness}")
        self.layer_types.set_rail(choice == "rail" if choice else is_narrow)

    def _remember_palette(self) -> None:
        """What the user chooses in a narrow window holds for narrow windows only."""
        is_rail = self.layer_types.is_rail
        self.remember(f"palette_{self._narrowness}", "rail" if is_rail else "list")
        self.refit()

    def _remember_families(self, folded: frozenset[Family]) -> None:
        self.remember("folded_families", " ".join(sorted(family.name for family in folded)) or "NONE")

    def show_panel(self, number: int) -> None:
        """Shows a tab of the right panel and gives it the focus."""
        focus_panel(self.inspector.show_tab(number))

    def toggle_drawing(self) -> None:
        """Shows or hides the drawing."""
        self.drawing_button.toggle()

    # Created when first shown, so that the window starts sooner.

    def _create_code(self) -> QWidget:
        from cnnstudio.gui.designer.inspector.code_view import CodeView

        return _unframed(CodeView(self._project))

    def _create_field(self) -> QWidget:
        from cnnstudio.gui.designer.inspector.receptive_field_view import ReceptiveFieldView

        return _unframed(ReceptiveFieldView(self._project, self._session))

    def _create_drawing(self) -> QWidget:
        from cnnstudio.gui.designer.diagram.drawing_view import DrawingView

        return DrawingView(self._project)


def _unframed(panel: Panel) -> Panel:
    """The panel without its frame: it is within another one."""
    panel.setProperty("role", "inner")
    return panel
