"""Tries the network of the run on show on images: the answer, the scores, and the feature maps of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QHideEvent,
    QKeyEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QFileDialog, QPushButton, QStackedWidget

from cnnstudio.core.files import FileError
from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.dashboard.views.base import training_images
from cnnstudio.gui.dashboard.views.readings import MomentReadings, MomentSource
from cnnstudio.gui.document.pinned_images import PinnedImage
from cnnstudio.gui.pages.panel_parts import SIDE, PanelFoot, PanelHead, fill
from cnnstudio.gui.pages.try_image.answer_view import AnswerView
from cnnstudio.gui.pages.try_image.answers.asking import epoch_to_ask
from cnnstudio.gui.pages.try_image.answers.presenter import AnswerPresenter
from cnnstudio.gui.pages.try_image.certainty.rule import AnswerRule
from cnnstudio.gui.pages.try_image.empty_state import EmptyState
from cnnstudio.gui.pages.try_image.incoming import is_paste, paths_in, pixels_in
from cnnstudio.gui.pages.try_image.previews import Previews
from cnnstudio.gui.pages.try_image.saving import ScoresSaving
from cnnstudio.gui.pages.try_image.sources import ImageSource, Shape
from cnnstudio.gui.pages.try_image.tried_images import TriedImages
from cnnstudio.gui.widgets.images.file_filters import image_filters
from cnnstudio.gui.widgets.images.saving import choose_file
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.progress import ProgressLine

_EMPTY = "Drop an image here"
_HOW = "Or open files or a folder, or paste with Ctrl+V. The network answers with the classes it knows."
_NO_RUN = "Train a network, or open a run, to try it on an image"
_LATER = "The images that you have opened are tried as soon as there is a run."
_SHOWS_PROGRESS = 64
"""Images that wait to be read."""


class TryPanel(Panel):
    """Open, paste or drop images; the weights at the cursor answer. Hidden, it asks for nothing."""

    message = Signal(object)
    """A Message about a file that was or could not be saved."""

    def __init__(self, source: MomentSource) -> None:
        super().__init__("tryPanel")
        self.setAccessibleName("Try an image")
        self.setAcceptDrops(True)
        self._source = source
        self.images = TriedImages(self)
        self.previews = Previews(self)
        self.saving = ScoresSaving(self)
        self.rule = AnswerRule(self)
        self._run: object = None
        self._asked_pinned: object = None
        self._found_pinned: PinnedImage | None = None
        self._compose()
        self._connect()
        self.refresh()

    def _compose(self) -> None:
        self._open = _button("tryOpen", "Open…", "Open image files (several at once)")
        self._open_folder = _button("tryFolder", "Folder…", "Open all images in a folder")
        self._paste = _button("tryPaste", "Paste", "Try the image on the clipboard (Ctrl+V)")
        self.head = PanelHead("Try an image", self._open, self._open_folder, self._paste)
        self.empty = EmptyState()
        self.body = AnswerView()
        shown = self.images, self.previews, self.rule, self.body, self.head.secondary
        self._answers = AnswerPresenter(*shown, self)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.body)
        self.progress = ProgressLine(self)
        self.progress.setContentsMargins(SIDE, 0, SIDE, 6)
        self._note = ElidedLabel(role="help", tone="secondary")
        self._problem = Label(role="help", tone="wrong", wrap=True)
        self._problem.setObjectName("tryNote")
        self._problem.setContentsMargins(SIDE, 2, SIDE, 6)
        self._problem.hide()
        self._save = _button("trySaveCsv", "Save as CSV…", "Save the scores of all images")
        self._clear = _button("tryClear", "Clear", "Remove all images from the list")
        self._pin = _button(
            "tryPin", "Pin", "Follow the scores of this image over the epochs, in Predictions"
        )
        self._foot = PanelFoot(self._note, self._save, self._clear, self._pin)
        fill(self, self.head, self._stack, self.progress, self._problem, self._foot, hero=self._stack)
        self.focus_target = self._open

    def _connect(self) -> None:
        self._open.clicked.connect(self._on_open)
        self._open_folder.clicked.connect(self._on_open_folder)
        self._paste.clicked.connect(self.paste)
        self._save.clicked.connect(self._on_save)
        self._clear.clicked.connect(self.images.clear)
        self._pin.clicked.connect(self._on_pin)
        self.progress.cancelled.connect(self._on_cancel)
        self.empty.sample_chosen.connect(self._on_sample)
        self.body.list.chosen.connect(self.images.choose)
        self.body.list.removed.connect(self.images.remove)
        self.body.maps.layer_chosen.connect(self._source.selection.choose_layer)
        self.body.threshold_moved.connect(self.rule.choose)
        self.body.nearest.opened.connect(self._on_nearest_opened)
        for each in (self.saving, self.rule):
            each.message.connect(self.message)
        self.rule.changed.connect(self.refresh)
        self._answers.overdue.connect(self.refresh)
        for signal in (self.images.changed, self.previews.loaded, self.saving.changed, self._source.changed):
            signal.connect(self.refresh)

    def close_tasks(self) -> None:
        """Ends what goes on in the background."""
        self._answers.stop_waiting()
        self.images.close()
        self.previews.close()
        self.saving.close()
        self.rule.close()

    # Images that come in

    def try_paths(self, paths: Sequence[Path]) -> None:
        """Tries image files, and the images in folders."""
        if paths:
            self.images.add_paths(paths)

    def _on_open(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Try images", "", image_filters())
        self.try_paths([Path(name) for name in names])

    def _on_open_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Try all images in a folder")
        self.try_paths([Path(name)] if name else [])

    def paste(self) -> None:
        """Tries the image on the clipboard, or the files that were copied."""
        if not self._take(QGuiApplication.clipboard().mimeData(), "pasted image"):
            self.message.emit(Message("There is no image on the clipboard.", is_error=True))

    def _take(self, data: QMimeData | None, name: str) -> bool:
        """Tries the files, or the image itself, as browsers hand it over; False if there is neither."""
        paths, pixels = paths_in(data), pixels_in(data)
        if paths:
            self.try_paths(paths)
        elif pixels is not None:
            self.images.add(ImageSource(name, pixels))
        else:
            return False
        return True

    def _on_sample(self, index: object) -> None:
        record = self._source.readings().moment.record
        if isinstance(index, int) and index < len(record.images):
            actual = record.image_names[index] if index < len(record.image_names) else ""
            self.images.add(ImageSource(f"example {index + 1}", record.images[index], actual))
            self.body.list.setFocus()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths_in(event.mimeData()) or event.mimeData().hasImage():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if self._take(event.mimeData(), "dropped image"):
            event.acceptProposedAction()

    def event(self, event: QEvent) -> bool:
        # Otherwise the window's own Paste would take the key.
        if event.type() == QEvent.Type.ShortcutOverride and is_paste(event):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if is_paste(event):
            self.paste()
        else:
            super().keyPressEvent(event)

    # What is shown

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._answers.stop_waiting()
        if not self.saving.is_active:
            self._source.forget(self)

    def refresh(self) -> None:
        """Asks, and shows what is known."""
        is_seen = self.isVisible() and not self.window().isMinimized()
        if not is_seen and not self.saving.is_active:
            self._source.forget(self)
            return
        readings = self._source.readings()
        run = readings.moment.folder or readings.moment.record
        if run != self._run:
            self._run = run
            self._answers.forget()
            record = readings.moment.record
            self.rule.show_run(readings.moment.folder, record.created)
            started = readings.moment.record.history.started
            self.images.set_shape(_input_shape(readings), (started and started.resize) or "fill")
        self.saving.advance(readings)
        if is_seen:
            self._show(readings)
        self._source.remember(self, readings.asked)

    def _show(self, readings: MomentReadings) -> None:
        is_empty = self.images.is_empty or readings.is_empty
        self._stack.setCurrentWidget(self.empty if is_empty else self.body)
        self._foot.setVisible(not is_empty)
        self._problem.setVisible(not is_empty and bool(self.images.note))
        self._show_progress()
        if is_empty:
            self._show_empty(readings)
        else:
            self._answers.show(readings, self._source.selection.layer)
            self._show_foot()

    def _show_progress(self) -> None:
        """Of the file that is being saved, else of many images that are being read."""
        is_reading = self.images.waiting > _SHOWS_PROGRESS
        if not self.saving.is_active and not is_reading:
            self.progress.hide()
            return
        if self.progress.isHidden():
            self.progress.begin("")
        if self.saving.is_active:
            found = self.saving.progress
            self.progress.show_progress(found.done, found.total, found.text)
        else:
            done = len(self.images.images)
            total = done + self.images.waiting
            self.progress.show_progress(done, total, f"Reading: {done} of {pluralize(total, 'image')}")

    def _on_cancel(self) -> None:
        if self.saving.is_active:
            self.saving.cancel()
        else:
            self.images.stop_reading()

    def _show_empty(self, readings: MomentReadings) -> None:
        record = readings.moment.record
        has_run = not readings.is_empty
        self.body.show_image(None, None)
        self.head.secondary.set_full_text(record.title if has_run else "")
        self.empty.show_samples(record.images if has_run else record.images[:0], record.image_names)
        if has_run:
            self.empty.show_texts(_EMPTY, _HOW, self.images.note)
        else:
            later = "" if self.images.is_empty else _LATER
            self.empty.show_texts(_NO_RUN, later, self.images.note, has_run=False)

    def _on_nearest_opened(self, place: object) -> None:
        reading = self.body.nearest.images.reading
        if reading is not None and isinstance(place, int):
            self._source.training_images_wanted.emit(training_images(reading, 0, place))

    # What can be done with the images

    def _show_foot(self) -> None:
        images = self.images.images
        self._note.set_full_text(pluralize(len(images), "image"))
        self._problem.setText(self.images.note)
        self._save.setEnabled(bool(images) and not self.saving.is_active)
        pinned, chosen = self._source.pinned, self.images.chosen
        is_pinned = self._pinned is not None
        self._pin.setText("Unpin" if is_pinned else "Pin")
        # What is pinned is the whole image, which other networks get at other sizes.
        is_known = chosen is not None and self.previews.is_known(chosen.source)
        self._pin.setEnabled(is_known and (is_pinned or not pinned.is_full))

    @property
    def _pinned(self) -> PinnedImage | None:
        """The chosen image as it was pinned; None if it is not."""
        chosen, images = self.images.chosen, self._source.pinned.images
        if chosen is None or not images:
            return None
        asked = chosen, images, self.previews.is_known(chosen.source)
        if asked != self._asked_pinned:
            found = self._source.pinned.find(chosen.pixels, self.previews.get(chosen.source))
            self._asked_pinned, self._found_pinned = asked, found
        return self._found_pinned

    def _on_pin(self) -> None:
        pinned, chosen = self._source.pinned, self.images.chosen
        if chosen is None:
            return
        found, whole = self._pinned, self.previews.get(chosen.source)
        try:
            if found is not None:
                pinned.unpin(found)
            else:
                pinned.pin(chosen.source.name, chosen.pixels if whole is None else whole, chosen.pixels)
        except FileError as error:
            self.message.emit(Message(str(error), is_error=True))
        self.refresh()

    def _on_save(self) -> None:
        moment = self._source.readings().moment
        folder, batches, shown = moment.folder, self.images.batches, self._answers.epoch
        # The epoch whose answers are shown: it is one that was kept.
        epoch = epoch_to_ask(moment) if shown is None else shown
        # While a file is chosen, a training goes on: what is known of the confidence may be of a later epoch.
        rule = self.rule.rule
        path = choose_file(self, "Scores", "CSV table (*.csv)", ".csv")
        if path is not None and folder is not None:
            self.saving.begin(path, folder, epoch, batches, rule)


def _button(object_name: str, text: str, description: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(object_name)
    button.setProperty("role", "small")
    button.setToolTip(description)
    return button


def _input_shape(readings: MomentReadings) -> Shape | None:
    if not readings.network.nodes:
        return None
    channels, height, width = readings.network.input.dims
    return channels, height, width
