"""The dock with the drawing of the network: the image, how to zoom it, and how to keep it as a file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.colors import Scheme, palette
from cnnstudio.core.files import replacing
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.diagram.svg import layer_words, svg, volumes
from cnnstudio.gui.designer.diagram.drawing_canvas import DrawingCanvas
from cnnstudio.gui.document.documents import file_stem
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.gui.widgets.lazy_panel import LazyPanel
from cnnstudio.gui.widgets.quiet_button import QuietButton

_DELAY = 80
"""Milliseconds, in which the list stands."""

_HINT = "Click a layer to select it, drag to move, Ctrl + wheel or + and − to zoom."
_PIXELS = 3.0
"""Of a PNG for one of the drawing: sharp in print."""
_LONGEST = 16_000
_FILTERS: dict[str, tuple[str, Scheme]] = {
    "SVG, light (*.svg)": (".svg", "light"),
    "SVG, dark (*.svg)": (".svg", "dark"),
    "PNG, light (*.png)": (".png", "light"),
    "PNG, dark (*.png)": (".png", "dark"),
}


class DrawingView(LazyPanel):
    """Draws the project's network while it can be seen."""

    def __init__(self, project: Project) -> None:
        super().__init__("drawingView", delay=_DELAY)
        self._project = project
        self._shown: Analysis | None = None
        self.canvas = DrawingCanvas()
        self._words = ElidedLabel(_HINT, "help", "secondary")
        self._compose()
        self.setFocusProxy(self.canvas)
        self.canvas.chosen.connect(self._on_chosen)
        project.analysis_changed.connect(self.refresh_later)
        project.selection_changed.connect(self.refresh_later)

    def sizeHint(self) -> QSize:
        return QSize(800, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 140)

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self._words, 1)
        for name, text, words, slot in (
            ("zoomOut", "−", "Smaller", lambda: self.canvas.zoom(-1)),
            ("zoomIn", "+", "Larger", lambda: self.canvas.zoom(1)),
            ("zoomFit", "Fit", "Fit to the room that there is", self.canvas.fit),
            ("saveDrawing", "Save…", "Save the drawing as SVG or PNG", self._on_save),
        ):
            button = QuietButton(name, text, words)
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
            self.canvas.show_drawing(volumes(project.analysis))
        lit = frozenset(
            node.id for chosen in project.selection for node in project.network.node(chosen).walk()
        )
        words = self._selection_words()
        self._words.set_whole(words or _HINT)
        self.canvas.light(lit, words)

    def _selection_words(self) -> str:
        selection = self._project.selection
        if not selection:
            return ""
        first = layer_words(self._project.analysis[selection[0]])
        return first if len(selection) == 1 else f"{first}, and {len(selection) - 1} more"

    def _on_save(self) -> None:
        ask_and_save(self, self._project)

    def _on_chosen(self, node_id: object) -> None:
        if node_id is None:
            self._project.select(())
        else:
            self._project.select((str(node_id),))


def ask_and_save(parent: QWidget, project: Project) -> None:
    """Asks where to save the drawing of the project's network, as what and in which colors, and does it."""
    name, chosen = QFileDialog.getSaveFileName(
        parent,
        "Save the drawing",
        f"{file_stem(project.network.name)}.svg",
        ";;".join(_FILTERS),
        next(words for words, (_, scheme) in _FILTERS.items() if scheme == theme().scheme),
    )
    if name:
        suffix, scheme = _FILTERS.get(chosen, (".svg", theme().scheme))
        path = Path(name)
        if path.suffix.lower() not in (".svg", ".png"):
            path = path.with_name(path.name + suffix)
        project.attempt(lambda: save_drawing(project.analysis, path, scheme))


def save_drawing(analysis: Analysis, path: Path, scheme: Scheme) -> None:
    """Writes the drawing as what the file's ending says, SVG or PNG. Raises FileError."""
    text = svg(volumes(analysis), palette(scheme)).encode()
    with replacing(path) as file:
        file.write(_png(text) if path.suffix.lower() == ".png" else text)


def _png(text: bytes) -> bytes:
    renderer = QSvgRenderer(QByteArray(text))
    size = renderer.viewBoxF().size()
    scale = min(_PIXELS, _LONGEST / max(size.width(), size.height()))
    image = QImage((size * scale).toSize(), QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    renderer.render(painter, QRectF(image.rect()))
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(image)
    return bytes(buffer.data().data())
