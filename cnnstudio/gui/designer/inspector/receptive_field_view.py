"""The dock that shows what the chosen layer sees: its receptive field on real images of the data set."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import count, spoken
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.gui.compute.compute_task import Job
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.designer.inspector.receptive_field_image import FieldImage
from cnnstudio.gui.designer.inspector.receptive_field_text import field_sentence, place_words
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.lazy_panel import LazyPanel
from cnnstudio.gui.widgets.qimage import to_qimage
from cnnstudio.gui.widgets.quiet_button import QuietButton
from cnnstudio.layers.receptive_field import Window
from cnnstudio.training.sample_images import examples

_IMAGES = 60
_NO_LAYER = "Select a layer to see how much of an image each of its values sees."
_UNKNOWN = "It is switched off, or a mistake has to be fixed before one knows what it sees."
_LOADING = "Loading the images"
_HINT = "Move the mouse or press the arrow keys for other values, Page Up and Page Down for other images."


class ReceptiveFieldView(LazyPanel):
    """Follows the selection; asks for the data set when it is first seen with it."""

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__("fieldView")
        self._project = project
        self._session = session
        self._dataset = ""
        self._classes: tuple[str, ...] = ()
        self._examples: Split | None = None
        self._number = 0
        self._job: Job | None = None
        self._failure = ""
        self.image = FieldImage()
        self._title = ElidedLabel(role="title")
        self._sentence = Label(role="help", wrap=True)
        self._value = ElidedLabel(role="help", tone="secondary")
        self._name = ElidedLabel(role="help", tone="secondary")
        self._before = QuietButton("imageBefore", "‹", "The image before")
        self._after = QuietButton("imageAfter", "›", "The next image")
        self._compose()
        self._connect()

    def sizeHint(self) -> QSize:
        return QSize(470, 480)

    def minimumSizeHint(self) -> QSize:
        return QSize(280, 260)

    @property
    def sentence(self) -> str:
        """What the layer sees, in words."""
        return self._sentence.text()

    def _compose(self) -> None:
        self._sentence.setObjectName("fieldSentence")
        self._value.setObjectName("fieldValue")
        self._name.setObjectName("fieldImageName")
        turns = QHBoxLayout()
        turns.setSpacing(4)
        turns.addWidget(self._before)
        turns.addWidget(self._after)
        turns.addWidget(self._name, 1)
        self.image.setToolTip(_HINT)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(6)
        for part in (self._title, self._sentence, self._value):
            column.addWidget(part)
        column.addWidget(self.image, 1)
        column.addLayout(turns)
        self.setFocusProxy(self.image)

    def _connect(self) -> None:
        project = self._project
        for signal in (project.analysis_changed, project.selection_changed, project.dataset_changed):
            signal.connect(self.refresh_later)
        self._session.dataset_loaded.connect(self._on_dataset_loaded)
        self.image.moved.connect(self._on_moved)
        self.image.turned.connect(self._turn)
        self._before.clicked.connect(lambda _checked=False: self._turn(-1))
        self._after.clicked.connect(lambda _checked=False: self._turn(1))

    # The images

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        self._take(*loaded)

    def _ask_for_images(self) -> None:
        name = self._project.dataset_name
        if name in ("", self._dataset):
            return
        if self._job is not None:
            self._job.cancel()
        self._dataset, self._examples, self._failure, self._number = name, None, "", 0
        self._job = self._session.fetch(name, lambda dataset: self._take(name, dataset), self._on_failed)

    def _take(self, name: str, dataset: Dataset) -> None:
        if name != self._project.dataset_name:
            return
        if self._job is not None:
            self._job.cancel()
        self._dataset, self._job, self._failure = name, None, ""
        self._classes, self._examples = dataset.classes, examples(dataset.test, _IMAGES)
        self.refresh_later()

    def _on_failed(self, sentence: str) -> None:
        self._job, self._failure = None, sentence
        self.refresh_later()

    def _turn(self, step: object) -> None:
        if self._examples is not None and isinstance(step, int):
            self._number = (self._number + step) % len(self._examples)
            self._show_image()

    def _show_image(self) -> None:
        image, words = QImage(), self._failure or _LOADING
        if self._examples is not None:
            try:
                image, words = self._fitted(self._examples), self._image_words(self._examples)
            except UserError as error:
                words = str(error)
        elif not self._project.dataset_name:
            words = "No data set is chosen"
        self.image.show_image(image)
        self._name.set_whole(words)
        for button in (self._before, self._after):
            button.setEnabled(not image.isNull())

    def _fitted(self, images: Split) -> QImage:
        """The chosen image as the network gets it. Raises DataError."""
        from cnnstudio.data.images.resizing import resize  # Pillow is not needed before an image is shown

        shape = self._project.network.input
        only = slice(self._number, self._number + 1)
        one = Split(images.images[only], images.labels[only])
        fitted = resize(Dataset("", "", self._classes, one, one), (shape.channels, shape.height, shape.width))
        return to_qimage(fitted.train.images[0])

    def _image_words(self, images: Split) -> str:
        label = self._classes[int(images.labels[self._number])]
        return f"{label} · image {count(self._number + 1)} of {count(len(images))}"

    # The layer

    def refresh(self) -> None:
        self._ask_for_images()
        self._show_image()
        report, shape = self._report, self._project.network.input
        size = shape.height, shape.width
        sentence = field_sentence(report, shape) if report is not None else _NO_LAYER
        self._title.set_whole(report.node.title if report is not None else "Receptive field")
        self._sentence.setText(sentence or _UNKNOWN)
        window, values = _placed(report, size) if report is not None and sentence else (None, (1, 1))
        self.image.show_window(window, values, size)
        self._on_moved(self.image.place)

    @property
    def _report(self) -> LayerReport | None:
        """Of the first selected layer."""
        selection = self._project.selection
        return self._project.analysis[selection[0]] if selection else None

    def _on_moved(self, _: object) -> None:
        report = self._report
        is_known = report is not None and report.receptive_field is not None
        words = place_words(report, self.image.place) if report is not None and is_known else ""
        self._value.set_whole(words)
        self.image.setAccessibleDescription(spoken(f"{self.sentence} {words}".strip()))


def _placed(report: LayerReport, size: tuple[int, int]) -> tuple[Window, tuple[int, int]]:
    """The window, and how many rows and columns of values. A flat value has no place: it gets the middle."""
    output, window = report.output, report.window
    if window.kernel is None or output is None:
        return window, (1, 1)
    if output.is_image:
        return window, (output.height, output.width)
    start = (size[0] - int(window.kernel[0])) // 2, (size[1] - int(window.kernel[1])) // 2
    return Window(window.kernel, window.stride, start), (1, 1)
