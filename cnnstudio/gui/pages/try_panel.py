"""Tries the network of the run on show on an image: the answer, and the scores of the classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.pages.panel_parts import SIDE, PanelHead, fill
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage

_FILES = "Images (*.png *.jpg *.jpeg *.bmp *.gif *.tif *.tiff *.webp *.ppm *.pgm *.tga);;All files (*)"
_EMPTY = "Open, paste or drop an image to see what the network takes it for."
_NO_RUN = "Train a network, or open a run, to try it on an image."
_WAITING = "The answer comes when the training has ended."
_MAX_BARS, _ROW = 8, 24
_IMAGE_SIDE = 264


@dataclass(frozen=True, eq=False)
class Trial:
    """The answer to one image."""

    image: np.ndarray
    """What the network got: uint8 (C, H, W)."""
    scores: tuple[tuple[str, float], ...]
    """Classes with their probabilities, the most probable first."""
    epoch: int | None
    """The epoch of the weights."""


class ScoreBars(QWidget):
    """The most probable classes, each with a bar."""

    def __init__(self) -> None:
        super().__init__()
        self._scores: tuple[tuple[str, float], ...] = ()
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(320, _ROW * _MAX_BARS)

    def show_scores(self, scores: tuple[tuple[str, float], ...]) -> None:
        """Shows classes with their probabilities, the most probable first."""
        self._scores = scores[:_MAX_BARS]
        texts = [f"{plain_line(name, 40)} {format_percent(score)}" for name, score in self._scores]
        self.setAccessibleName(", ".join(texts) or "No scores yet")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        strong, content = TextMetrics(style.font("strong")), TextMetrics(style.font("content"))
        digits = TextMetrics(style.monospace("help"))
        names = min(max((strong.width(plain_line(name)) for name, _ in self._scores), default=0) + 12, 160)
        numbers = digits.width("100.0%") + 8
        for place, (name, score) in enumerate(self._scores):
            font, middle = strong if place == 0 else content, place * _ROW + _ROW / 2
            painter.setFont(font.font)
            painter.setPen(style.color("text"))
            painter.drawText(0, font.baseline(middle), font.elided(plain_line(name), names - 8))
            whole = max(self.width() - names - numbers, 20)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(style.color("grid"))
            painter.drawRoundedRect(QRectF(names, middle - 4, whole, 8), 4, 4)
            painter.setBrush(style.color("training" if place == 0 else "secondary"))
            painter.drawRoundedRect(QRectF(names, middle - 4, max(whole * score, 4), 8), 4, 4)
            painter.setFont(digits.font)
            painter.setPen(style.color("text"))
            text = format_percent(score)
            painter.drawText(self.width() - digits.width(text), digits.baseline(middle), text)
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        self.update()


class ImageArea(QWidget):
    """One image as the network gets it, enlarged without smoothing."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setFixedWidth(_IMAGE_SIDE)
        self.setMinimumHeight(_IMAGE_SIDE)

    def show_image(self, image: np.ndarray | None) -> None:
        """Shows uint8 (C, H, W), or an empty place."""
        self._image = QImage() if image is None else to_qimage(image)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = QRectF(0, 0, _IMAGE_SIDE, _IMAGE_SIDE)
        if self._image.isNull():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("grid"))
            painter.drawRoundedRect(area, 6, 6)
        else:
            size = self._image.size().scaled(_IMAGE_SIDE, _IMAGE_SIDE, Qt.AspectRatioMode.KeepAspectRatio)
            painter.drawImage(QRectF(0, 0, size.width(), size.height()), self._image)
        painter.end()


class TryPanel(Panel):
    """Open, paste or drop an image; the best weights of the run on show answer."""

    def __init__(self, session: TrainingSession, shown: ShownRun) -> None:
        super().__init__("tryPanel")
        self.setAcceptDrops(True)
        self._session = session
        self._shown = shown
        self._task: ComputeTask | None = None
        self._source: Path | np.ndarray | None = None
        self._name = ""
        self._open = _small_button("tryOpen", "Open…", "Open an image file")
        self._paste = _small_button("tryPaste", "Paste", "Try the image on the clipboard")
        self._head = PanelHead("Try an image", self._open, self._paste)
        self.image = ImageArea()
        self.answer = ElidedLabel(role="answer")
        self.details = Label(role="help", tone="secondary", wrap=True)
        self.bars = ScoreBars()
        self._caption = Label(role="help", tone="secondary", wrap=True)
        body = QWidget()
        left, right, row = QVBoxLayout(), QVBoxLayout(), QHBoxLayout(body)
        row.setContentsMargins(SIDE, 4, SIDE, 12)
        row.setSpacing(20)
        left.setSpacing(8)
        left.addWidget(self.image)
        left.addWidget(self._caption)
        left.addStretch(1)
        right.setSpacing(6)
        right.addWidget(self.answer)
        right.addWidget(self.details)
        right.addSpacing(8)
        right.addWidget(self.bars)
        right.addStretch(1)
        row.addLayout(left)
        row.addLayout(right, 1)
        fill(self, self._head, body, hero=body)
        self._open.clicked.connect(self._on_open)
        self._paste.clicked.connect(self._on_paste)
        shown.cursor.run_changed.connect(self._on_run_changed)
        shown.cursor.advanced.connect(self._on_advanced)
        session.state_changed.connect(self._on_state_changed)
        self._show_hint()

    # The image

    def try_file(self, path: Path) -> None:
        """Tries the image in a file."""
        self._try(path, path.name)

    def _on_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Try an image", "", _FILES)
        if name:
            self.try_file(Path(name))

    def _on_paste(self) -> None:
        image = QGuiApplication.clipboard().image()
        if image.isNull():
            self.details.setText("There is no image on the clipboard.")
            return
        self._try(_pixels_of(image), "the pasted image")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.try_file(paths[0])

    # The answer

    def _try(self, source: Path | np.ndarray, name: str) -> None:
        self._source, self._name = source, name
        folder = self._shown.record.folder
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if folder is None:
            self._show_hint()
            return
        self.answer.set_full_text("…")
        self.details.setText("" if self._session.state is State.IDLE else _WAITING)
        self._task = self._session.run_task(
            partial(_try_image, folder, source), self._on_done, self._on_failed
        )

    def _on_done(self, trial: Any) -> None:
        assert isinstance(trial, Trial)
        self._task = None
        self.image.show_image(trial.image)
        channels, height, width = trial.image.shape
        self._caption.setText(
            f"What the network gets: {self._name} in {width} × {height} pixels"
            f"{', gray' if channels == 1 else ''}"
        )
        (best, score), *_ = trial.scores
        self.answer.set_full_text(best)
        self.details.setText(f"{format_percent(score)} sure")
        if trial.epoch is not None:
            self._head.secondary.set_full_text(f"weights of epoch {trial.epoch}, the best")
        self.bars.show_scores(trial.scores)

    def _on_failed(self, message: str) -> None:
        self._task = None
        self.answer.set_full_text("")
        self.details.setText(message)
        self.bars.show_scores(())

    def _on_run_changed(self, _: object) -> None:
        self._head.secondary.set_full_text(
            self._shown.record.title if self._shown.record.network.nodes else ""
        )
        if self._source is not None and self._shown.record.folder is not None:
            self._try(self._source, self._name)
        elif self._source is None:
            self._show_hint()

    def _on_advanced(self, _: object) -> None:
        # A run has a folder from its first event on.
        if not self._open.isEnabled() and self._shown.record.folder is not None:
            self._show_hint()

    def _on_state_changed(self, state: object) -> None:
        # The weights of a run that has ended are others than while it trained.
        if state is State.IDLE:
            self._on_run_changed(None)

    def _show_hint(self) -> None:
        has_run = self._shown.record.folder is not None
        self.answer.set_full_text("")
        self.details.setText(_EMPTY if has_run else _NO_RUN)
        self.bars.show_scores(())
        for button in (self._open, self._paste):
            button.setEnabled(has_run)


def _small_button(object_name: str, text: str, description: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(object_name)
    button.setProperty("role", "small")
    button.setToolTip(description)
    return button


def _try_image(
    folder: Path,
    source: Path | np.ndarray,
    progress: Callable[[object], None],
    cancelled: Callable[[], bool],
) -> Trial:
    """On the compute thread. Raises RunError and DataError."""
    from cnnstudio.data.images.image_files import read_pixels, silence_pillow_warnings
    from cnnstudio.insight.predictions import predict
    from cnnstudio.runs.epochs.saved_best import saved_best_epoch
    from cnnstudio.runs.run import Run

    run = Run.open(folder)
    channels, height, width = run.network.input.dims
    if isinstance(source, Path):
        with silence_pillow_warnings():
            image = read_pixels(source, (channels, height, width))
    else:
        image = _fitted(source, (channels, height, width))
    probabilities = predict(run.model(), image[None], flip=run.recipe.test_time_flip)[0].tolist()
    scores = sorted(zip(run.classes, probabilities, strict=True), key=lambda entry: -entry[1])
    return Trial(image, tuple(scores), saved_best_epoch(run))


def _fitted(pixels: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Pixels, uint8 (H, W, 3), as an image of that shape, uint8 (C, H, W)."""
    from PIL import Image

    from cnnstudio.data.images.image_files import resize_and_crop

    channels, height, width = shape
    resized = resize_and_crop(Image.fromarray(pixels), (width, height))
    found = np.asarray(resized if channels == 3 else resized.convert("L"))
    return np.ascontiguousarray(found.reshape(height, width, channels).transpose(2, 0, 1))


def _pixels_of(image: QImage) -> np.ndarray:
    """The pixels of an image, uint8 (H, W, 3)."""
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), np.uint8).reshape(rgb.height(), rgb.bytesPerLine())
    return rows[:, : 3 * rgb.width()].reshape(rgb.height(), rgb.width(), 3).copy()
