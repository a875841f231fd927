"""The dock with the network drawing: zooming it, and saving it as SVG or PNG."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.colors import Scheme, scheme_colors
from cnnstudio.core.files import atomic_writer
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.diagram.svg import describe_layer, draw_network, svg
from cnnstudio.gui.designer.diagram.drawing_canvas import DrawingCanvas
from cnnstudio.gui.document.documents import file_stem
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.icon_button import QuietButton
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.gui.widgets.lazy_panel import LazyPanel

_DELAY = 80
"""Milliseconds; the layer list is drawn first."""

_HINT = "Click a layer to select it, drag to pan, Ctrl+wheel or + and − to zoom."
_PNG_SCALE = 3.0
"""Pixels of a PNG per unit of the drawing, enough for print."""
_MAX_PNG_SIDE = 16_000
_FILTERS: dict[str, tuple[str, Scheme]] = {
    "SVG, light (*.svg)": (".svg", "light"),
    "SVG, dark (*.svg)": (".svg", "dark"),
    "PNG, light (*.png)": (".png", "light"),
    "PNG, dark (*.png)": (".png", "dark"),
}


class DrawingView(LazyPanel):
    """Draws the project's network while it is visible."""

    def __init__(self, project: Project) -> None:
        super().__init__("drawingView", delay=_DELAY)
        self._project = project
        self._shown: Analysis | None = None
        self.canvas = DrawingCanvas()
        self._caption = ElidedLabel(_HINT, "help", "secondary")
        self._compose()
        self.setFocusProxy(self.canvas)
        self.canvas.layer_chosen.connect(self._on_layer_chosen)
        project.analysis_changed.connect(self.refresh_later)
        project.selection_changed.connect(self.refresh_later)

    def sizeHint(self) -> QSize:
        return QSize(800, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 140)

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self._caption, 1)
        for name, text, tooltip, slot in (
            ("zoomOut", "−", "Zoom out", lambda: self.canvas.zoom(-1)),
            ("zoomIn", "+", "Zoom in", lambda: self.canvas.zoom(1)),
            ("zoomFit", "Fit", "Fit the drawing to the panel", self.canvas.fit),
            ("saveDrawing", "Save…", "Save the drawing as SVG or PNG", self._on_save),
        ):
            button = QuietButton(name, text, tooltip)
            button.clicked.connect(lambda _checked=False, slot=slot: slot())
            head.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 6, 8, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.canvas, 1)

    def refresh(self) -> None:
        project = self._project
        if self._shown is not project.analysis:
            self._shown = project.analysis
            self.canvas.show_drawing(draw_network(project.analysis))
        highlighted = frozenset(
            node.id for selected in project.selection for node in project.network.node(selected).walk()
        )
        description = self._selection_text()
        self._caption.set_full_text(description or _HINT)
        self.canvas.highlight(highlighted, description)

    def _selection_text(self) -> str:
        selection = self._project.selection
        if not selection:
            return ""
        first = describe_layer(self._project.analysis[selection[0]])
        return first if len(selection) == 1 else f"{first}, and {len(selection) - 1} more"

    def _on_save(self) -> None:
        save_drawing_as(self, self._project)

    def _on_layer_chosen(self, node_id: object) -> None:
        if node_id is None:
            self._project.select(())
        else:
            self._project.select((str(node_id),))


def save_drawing_as(parent: QWidget, project: Project) -> None:
    """Asks for a file, format and color scheme, and saves the drawing of the project's network."""
    name, file_filter = QFileDialog.getSaveFileName(
        parent,
        "Save drawing",
        f"{file_stem(project.network.name)}.svg",
        ";;".join(_FILTERS),
        next(label for label, (_, scheme) in _FILTERS.items() if scheme == theme().scheme),
    )
    if name:
        suffix, scheme = _FILTERS.get(file_filter, (".svg", theme().scheme))
        path = Path(name)
        if path.suffix.lower() not in (".svg", ".png"):
            path = path.with_name(path.name + suffix)
        project.run_command(lambda: save_drawing(project.analysis, path, scheme))


def save_drawing(analysis: Analysis, path: Path, scheme: Scheme) -> None:
    """Writes the drawing as SVG or PNG, depending on the file name extension. Raises FileError."""
    text = svg(draw_network(analysis), scheme_colors(scheme)).encode()
    with atomic_writer(path) as file:
        file.write(_png(text) if path.suffix.lower() == ".png" else text)


def _png(text: bytes) -> bytes:
    renderer = QSvgRenderer(QByteArray(text))
    size = renderer.viewBoxF().size()
    scale = min(_PNG_SCALE, _MAX_PNG_SIDE / max(size.width(), size.height()))
    image = QImage((size * scale).toSize(), QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    with QPainter(image) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        renderer.render(painter, QRectF(image.rect()))
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(image)
    return bytes(buffer.data().data())
