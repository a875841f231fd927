"""The slim list of the layers of the run on show, on the pages that look at a run."""

from __future__ import annotations

from PySide6.QtCore import (
    QModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFocusEvent, QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
)

from cnnstudio.design.network import Network
from cnnstudio.gui.pages.panel_parts import PanelFoot, PanelHead, fill
from cnnstudio.gui.pages.strip_rows import StripDelegate, StripModel
from cnnstudio.gui.runs.activity import ActivityLoader
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_focus
from cnnstudio.gui.widgets.icon_button import IconButton
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.gui.widgets.plain_text import plain_line

WIDTH, RAIL_WIDTH = 240, 48
_BARS = "Bars: share of values above 0, over the example images"
_NOT_TRAINED = "Not trained yet: bars will show how active each layer is"


class StripView(QListView):
    """The rows; choosing one chooses the layer for all views."""

    def __init__(self, model: StripModel) -> None:
        super().__init__()
        self.is_rail = False
        self.setModel(model)
        self.setAccessibleName("Layers of the run on show")
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._restyle()
        theme().changed.connect(self._restyle)

    def set_rail(self, is_rail: bool) -> None:
        self.is_rail = is_rail
        self._restyle()

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Qt makes the first row the current one if there is none: that would choose a layer for all views.
        has_current = self.currentIndex().isValid()
        blocked = self.selectionModel().blockSignals(not has_current)
        super().focusInEvent(event)
        if not has_current:
            self.selectionModel().clearCurrentIndex()
        self.selectionModel().blockSignals(blocked)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        first = self.visualRect(self.model().index(0, 0))
        if self.hasFocus() and not self.currentIndex().isValid() and not first.isEmpty():
            # No layer is chosen: the arrow keys start here.
            painter = QPainter(self.viewport())
            paint_focus(painter, QRectF(first).adjusted(5, 1, -5, -1))
            painter.end()

    def _restyle(self, *_: object) -> None:
        # A new delegate: the view asks for the heights of the rows again.
        self.itemDelegate().deleteLater()
        self.setItemDelegate(StripDelegate(self, is_rail=self.is_rail))
        self.scheduleDelayedItemsLayout()


class LayerStrip(Panel):
    """The layers with how active they are, or only their icons where the panel is folded to a rail."""

    rail_changed = Signal(object)
    """Whether the user folded it."""

    def __init__(self, shown: ShownRun) -> None:
        super().__init__("layerStrip")
        self._shown = shown
        self._model = StripModel()
        self._network: Network | None = None
        self._is_rail = False
        self._loader = ActivityLoader(self)
        self.view = StripView(self._model)
        self._chevron = IconButton("stripFold", "previous", "Fold the list of layers")
        self._head = PanelHead("", self._chevron)
        self._note = Label(_BARS, "axis", "secondary", wrap=True)
        self._foot = PanelFoot(self._note)
        fill(self, self._head, self.view, self._foot, hero=self.view)
        self._chevron.clicked.connect(lambda: self._on_folded(not self._is_rail))
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self._loader.loaded.connect(self._on_loaded)
        cursor = shown.cursor
        shown.network_changed.connect(self._on_run_changed)
        cursor.epoch_changed.connect(self._load)
        shown.saved_changed.connect(self._load)
        shown.selection.layer_changed.connect(self._show_layer)
        self.focus_target = self.view
        self._apply_rail()

    @property
    def is_rail(self) -> bool:
        return self._is_rail

    def set_rail(self, is_rail: bool) -> None:
        """Folds it to a rail of icons, or unfolds it."""
        if is_rail != self._is_rail:
            self._is_rail = is_rail
            self._apply_rail()

    def _on_folded(self, is_rail: bool) -> None:
        self.set_rail(is_rail)
        self.rail_changed.emit(is_rail)

    def _apply_rail(self) -> None:
        rail = self._is_rail
        self._head.title.setVisible(not rail)
        self._head.secondary.setVisible(not rail)
        self._foot.setVisible(not rail)
        layout = self._head.layout()
        assert layout is not None
        layout.setContentsMargins(11 if rail else 16, 0, 11 if rail else 12, 0)
        self._chevron.show_icon(
            "next" if rail else "previous", "Unfold the list of layers" if rail else "Fold the list of layers"
        )
        self.view.set_rail(rail)
        if rail:
            self.setFixedWidth(RAIL_WIDTH)
        else:
            self.setMinimumWidth(180)
            self.setMaximumWidth(420)

    def sizeHint(self) -> QSize:
        return QSize(RAIL_WIDTH if self._is_rail else WIDTH, 400)

    # What it shows

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._on_run_changed()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._loader.cancel()

    def _on_run_changed(self) -> None:
        if not self.isVisible():
            return
        network = self._shown.network
        if network is not self._network:
            self._network = network
            self._model.show_network(network)
            self._head.title.setText(plain_line(network.name, 60) if network.nodes else "Layers")
        self._note.setText(_BARS if self._shown.record.network.nodes else _NOT_TRAINED)
        self._show_layer(self._shown.selection.layer)
        self._load()

    def _load(self, *_: object) -> None:
        moment = self._shown.cursor.moment
        if not self.isVisible():
            return
        if moment.folder is None:
            self._model.show_activities({})
        else:
            self._loader.load(moment.folder, moment.epoch, self._model.layers)

    def _on_loaded(self, epoch: object, activities: object) -> None:
        assert isinstance(activities, dict)
        self._model.show_activities(activities)

    def _show_layer(self, layer: object) -> None:
        row = self._model.row_of(layer if isinstance(layer, str) else None)
        if row is None:
            self.view.clearSelection()
        elif self.view.currentIndex().row() != row or not self.view.selectionModel().hasSelection():
            self.view.setCurrentIndex(self._model.index(row))

    def _on_current_changed(self, current: QModelIndex, _: QModelIndex) -> None:
        if current.isValid():
            node = self._model.at(current.row()).node
            if node is not None:
                self._shown.selection.choose_layer(node.id)
