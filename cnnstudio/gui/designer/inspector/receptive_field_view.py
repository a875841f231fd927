"""The dock that shows the receptive field of the selected layer on real images of the data set."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import format_count, screen_reader_text
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.designer.inspector.receptive_field_text import receptive_field_text, value_position_text
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.icon_button import QuietButton
from cnnstudio.gui.widgets.images.receptive_field_image import ReceptiveFieldImage
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.lazy_panel import LazyPanel
from cnnstudio.gui.widgets.qimage import to_qimage
from cnnstudio.layers.receptive_field import ReceptiveField
from cnnstudio.training.sample_images import choose_sample_images

_IMAGE_COUNT = 60
_NO_LAYER = "Select a layer to see its receptive field."
_UNKNOWN = "Not available: the layer is disabled, or an error before it must be fixed first."
_LOADING = "Loading images…"
_HINT = "Use the mouse or the arrow keys to move to another value, Page Up and Page Down to change the image."


class ReceptiveFieldView(LazyPanel):
    """Follows the selection; loads the data set only once the view is visible."""

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__("fieldView")
        self._project = project
        self._session = session
        self._dataset = ""
        self._classes: tuple[str, ...] = ()
        self._images: Split | None = None
        self._number = 0
        self._load_task: ComputeTask | None = None
        self._failure = ""
        self.image = ReceptiveFieldImage()
        self._title = ElidedLabel(role="title")
        self._field_text = Label(role="help", wrap=True)
        self._value = ElidedLabel(role="help", tone="secondary")
        self._name = ElidedLabel(role="help", tone="secondary")
        self._previous = QuietButton("previousImage", "‹", "Previous image")
        self._next = QuietButton("nextImage", "›", "Next image")
        self._compose()
        self._connect()

    def sizeHint(self) -> QSize:
        return QSize(470, 480)

    def minimumSizeHint(self) -> QSize:
        return QSize(280, 260)

    @property
    def field_text(self) -> str:
        """How much of the image the layer sees, as text."""
        return self._field_text.text()

    def _compose(self) -> None:
        self._field_text.setObjectName("fieldText")
        self._value.setObjectName("fieldValue")
        self._name.setObjectName("fieldImageName")
        foot = QHBoxLayout()
        foot.setSpacing(4)
        foot.addWidget(self._previous)
        foot.addWidget(self._next)
        foot.addWidget(self._name, 1)
        self.image.setToolTip(_HINT)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(6)
        for part in (self._title, self._field_text, self._value):
            column.addWidget(part)
        column.addWidget(self.image, 1)
        column.addLayout(foot)
        self.setFocusProxy(self.image)

    def _connect(self) -> None:
        project = self._project
        for signal in (project.analysis_changed, project.selection_changed, project.dataset_changed):
            signal.connect(self.refresh_later)
        self._session.dataset_loaded.connect(self._on_dataset_loaded)
        self.image.position_changed.connect(self._on_position_changed)
        self.image.image_step_requested.connect(self._step_image)
        self._previous.clicked.connect(lambda _checked=False: self._step_image(-1))
        self._next.clicked.connect(lambda _checked=False: self._step_image(1))

    # The images

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        self._use_dataset(*loaded)

    def _request_images(self) -> None:
        name = self._project.dataset_name
        if name in ("", self._dataset):
            return
        if self._load_task is not None:
            self._load_task.cancel()
        self._dataset, self._images, self._failure, self._number = name, None, "", 0
        self._load_task = self._session.fetch(
            name, lambda dataset: self._use_dataset(name, dataset), self._on_failed
        )

    def _use_dataset(self, name: str, dataset: Dataset) -> None:
        if name != self._project.dataset_name:
            return
        if self._load_task is not None:
            self._load_task.cancel()
        self._dataset, self._load_task, self._failure = name, None, ""
        self._classes, self._images = dataset.classes, choose_sample_images(dataset.test, _IMAGE_COUNT)
        self.refresh_later()

    def _on_failed(self, message: str) -> None:
        self._load_task, self._failure = None, message
        self.refresh_later()

    def _step_image(self, step: object) -> None:
        if self._images is not None and isinstance(step, int):
            self._number = (self._number + step) % len(self._images)
            self._show_image()

    def _show_image(self) -> None:
        image, caption = QImage(), self._failure or _LOADING
        if self._images is not None:
            try:
                image, caption = self._resized(self._images), self._image_caption(self._images)
            except UserError as error:
                caption = str(error)
        elif not self._project.dataset_name:
            caption = "No data set selected"
        self.image.show_image(image)
        self._name.set_full_text(caption)
        for button in (self._previous, self._next):
            button.setEnabled(not image.isNull())

    def _resized(self, images: Split) -> QImage:
        """The current image, resized to the network's input. Raises DataError."""
        from cnnstudio.data.images.resizing import resize  # imports Pillow, needed only here

        shape = self._project.network.input
        only = slice(self._number, self._number + 1)
        one = Split(images.images[only], images.labels[only])
        resized = resize(
            Dataset("", "", self._classes, one, one), (shape.channels, shape.height, shape.width)
        )
        return to_qimage(resized.train.images[0])

    def _image_caption(self, images: Split) -> str:
        label = self._classes[int(images.labels[self._number])]
        return f"{label} · image {format_count(self._number + 1)} of {format_count(len(images))}"

    # The layer

    def refresh(self) -> None:
        self._request_images()
        self._show_image()
        report, shape = self._report, self._project.network.input
        size = shape.height, shape.width
        text = receptive_field_text(report, shape) if report is not None else _NO_LAYER
        self._title.set_full_text(report.node.title if report is not None else "Receptive field")
        self._field_text.setText(text or _UNKNOWN)
        field, values = _field_and_values(report, size) if report is not None and text else (None, (1, 1))
        self.image.show_field(field, values, size)
        self._on_position_changed(self.image.position)

    @property
    def _report(self) -> LayerReport | None:
        """The report on the first selected layer."""
        selection = self._project.selection
        return self._project.analysis[selection[0]] if selection else None

    def _on_position_changed(self, _: object) -> None:
        report = self._report
        position = ""
        if report is not None and report.receptive_field_size is not None:
            position = value_position_text(report, self.image.position)
        self._value.set_full_text(position)
        self.image.setAccessibleDescription(screen_reader_text(f"{self.field_text} {position}".strip()))


def _field_and_values(report: LayerReport, size: tuple[int, int]) -> tuple[ReceptiveField, tuple[int, int]]:
    """The receptive field, and the (rows, columns) of output values.

    A flat output has no rows and columns: its field, if it is not the whole image, is shown in the middle.
    """
    output, field = report.output, report.receptive_field
    if field.size is None or output is None:
        return field, (1, 1)
    if output.is_image:
        return field, (output.height, output.width)
    start = (size[0] - int(field.size[0])) // 2, (size[1] - int(field.size[1])) // 2
    return ReceptiveField(field.size, field.stride, start), (1, 1)
