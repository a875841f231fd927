"""The chosen image: enlarged, with its file, size, mode, label and split; the label can be corrected here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_bytes, format_count
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.viewed_set import SPLITS, ViewedSet
from cnnstudio.gui.pages.data_set.review.item_view import IMAGE_SIDE, enlarged
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage

_FACTS = ("File", "Size", "Mode", "Split", "Label")
_MAX_CLASSES = 1_000
"""More are not offered in a list; the review queue takes any."""


class ImageDetails(QWidget):
    """Hidden while no image is chosen."""

    review_requested = Signal()
    """The user wants to go through images from this one on."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("imageDetails")
        self._viewed: ViewedSet | None = None
        self._overlay: LabelOverlay | None = None
        self._file = ""
        self._task: IoTask | None = None
        self._image = QLabel()
        self._image.setFixedSize(IMAGE_SIDE, IMAGE_SIDE)
        self._image.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.facts = {name: ElidedLabel(role="help") for name in _FACTS if name != "Label"}
        self.label = QComboBox()
        self.label.setObjectName("imageLabel")
        self.label.setProperty("role", "small")
        self.label.setAccessibleName("Label")
        self.label.setSizePolicy(self.facts["File"].sizePolicy())
        self.label.activated.connect(self._on_label_chosen)
        self.exclude = QPushButton("Exclude")
        self.exclude.setObjectName("excludeImage")
        self.exclude.setProperty("role", "small")
        self.exclude.clicked.connect(self._on_exclude)
        self.review = QPushButton("Review…")
        self.review.setObjectName("reviewImage")
        self.review.setProperty("role", "small")
        self.review.setToolTip("Go through these images by single keys, from this one on (Enter)")
        self.review.clicked.connect(self.review_requested)
        self._compose()
        self.hide()

    def _compose(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(12)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in _FACTS:
            caption = Label(name, "help", "secondary")
            caption.setFixedWidth(40)
            form.addRow(caption, self.facts.get(name, self.label))
        acts = QHBoxLayout()
        acts.setSpacing(8)
        acts.addWidget(self.review)
        acts.addWidget(self.exclude)
        acts.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._image)
        column.addLayout(form)
        column.addLayout(acts)

    def show_set(self, viewed: ViewedSet | None, overlay: LabelOverlay | None) -> None:
        """Says whose images are shown; none is chosen then."""
        self.close_tasks()
        self._viewed, self._overlay, self._file = viewed, overlay, ""
        self.label.clear()
        if viewed is not None:
            self.label.addItems([plain_line(name, 60) for name in viewed.classes[:_MAX_CLASSES]])
        can_change = viewed is not None and viewed.source is not None
        self.label.setEnabled(can_change)
        self.exclude.setEnabled(can_change)
        note = "" if can_change else "The labels of a built-in data set cannot be changed"
        self.label.setToolTip(note or "The corrected label goes into a list; the file stays as it is")
        self.exclude.setToolTip(note or "Leave the image out of every training and evaluation")
        self.hide()

    @property
    def file(self) -> str:
        """The name of the image that is shown; empty for none."""
        return self._file

    def show_image(self, part: str, row: int) -> None:
        """Shows an image of the data set."""
        viewed = self._viewed
        assert viewed is not None
        self._file = viewed.files[part][row]
        pixels = viewed.dataset.splits[part].images[row]
        self._image.setPixmap(enlarged(to_qimage(np.asarray(pixels))))
        count = len(viewed.files[part])
        self.facts["File"].set_full_text(self._file)
        self.facts["Split"].set_full_text(
            f"{SPLITS[part]}, image {format_count(row + 1)} of {format_count(count)}"
        )
        channels, height, width = viewed.dataset.shape
        mode = "color" if channels >= 3 else "gray"
        self.facts["Size"].set_full_text(f"{width} × {height}")
        self.facts["Mode"].set_full_text(mode)
        self.refresh()
        self.show()
        if viewed.source is not None:
            self._read_file(Path(viewed.source.folder, self._file))

    def refresh(self) -> None:
        """Shows the label as it is now."""
        if self._overlay is None or not self._file:
            return
        label = self._overlay.label(self._file)
        viewed = self._viewed
        assert viewed is not None
        index = viewed.classes.index(label) if label in viewed.classes else -1
        self.label.setCurrentIndex(index if index < _MAX_CLASSES else -1)
        self.label.setPlaceholderText("excluded" if label is None else plain_line(label, 60))
        self.exclude.setText("Use again" if label is None else "Exclude")
        name = "" if label is None else f"{plain_line(label, 80)}, "
        self._image.setAccessibleName(f"{name}{plain_line(self._file)}")

    def _read_file(self, path: Path) -> None:
        self.close_tasks()

        def read(progress: ProgressFunction, cancelled: CancelFunction) -> tuple[str, str]:
            # Imported here, because the window is shown before Pillow is loaded.
            from cnnstudio.data.images.image_files import describe_file

            (width, height), mode, kind, size = describe_file(path)
            return f"{width} × {height}, {format_bytes(size)}", f"{mode}, {kind}"

        self._task = IoTask(read, self)
        self._task.done.connect(self._on_read)
        self._task.failed.connect(lambda _: self.facts["Mode"].set_full_text("the file cannot be read"))
        self._task.start()

    def _on_read(self, found: object) -> None:
        assert isinstance(found, tuple)
        size, mode = found
        self.facts["Size"].set_full_text(size)
        self.facts["Mode"].set_full_text(mode)

    def _on_label_chosen(self, index: int) -> None:
        if self._viewed is not None and self._overlay is not None and self._file:
            self._overlay.set_label(self._file, self._viewed.classes[index])

    def _on_exclude(self) -> None:
        if self._overlay is None or not self._file:
            return
        if self._overlay.label(self._file) is None:
            self._overlay.reset([self._file])
        else:
            self._overlay.exclude([self._file])

    def captions(self) -> Iterator[str]:
        """What is shown, for a screen reader and for tests."""
        for name, label in self.facts.items():
            yield f"{name}: {label.full_text}"

    def close_tasks(self) -> None:
        """Ends what is read in the background."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
