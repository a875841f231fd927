"""The Data page: the data sets, their images by class, checks, the review queue, and details."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import Source, sources
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.data.adding.panel import AddImages
from cnnstudio.gui.data.set_watcher import ListChanges
from cnnstudio.gui.data.versions.dialog import VersionsDialog
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.data_set.checks.check_runner import CheckRunner
from cnnstudio.gui.pages.data_set.details.panel import DetailsPanel
from cnnstudio.gui.pages.data_set.images.images_panel import ImagesPanel
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.thumbnail_painter import SIDES
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet, load_files, without_files
from cnnstudio.gui.pages.data_set.review.panel import ReviewQueue
from cnnstudio.gui.pages.data_set.reviewing import Reviewing
from cnnstudio.gui.pages.data_set.sets_panel import SetsPanel
from cnnstudio.gui.pages.data_set.small_sets.offer import PretrainedOffer
from cnnstudio.gui.pages.page import Page
from cnnstudio.gui.widgets.message_bar import Message

_IN_USE = "in use by the running training; changes apply to the next run"
_UNLISTED = "These images were used, but are not in your list: press Enter to add them"
_WAITS = "Shown when the training has ended"
_THUMBNAILS = "thumbnails"
_ORDER = "order"


class DataPage(Page):
    """Looking at a data set does not choose it for training; its Use button does."""

    title: ClassVar[str] = "Data"
    has_timeline: ClassVar[bool] = False

    sets_changed = Signal()
    """A data set was downloaded, added or removed."""
    labels_changed = Signal()
    """Labels of the data set that is looked at have changed, or it is another one."""
    prediction_requested = Signal(object)
    """The folder of images without labels that are to be classified."""
    message = Signal(object)
    """A Message for the user."""

    def __init__(self, project: Project, session: TrainingSession, settings: Settings) -> None:
        super().__init__(settings)
        self._project = project
        self._session = session
        self._task: ComputeTask | IoTask | None = None
        self._unlisted_task: IoTask | None = None
        self._viewed: ViewedSet | None = None
        self._name = ""
        self._loaded: tuple[str, weakref.ref[Dataset]] | None = None
        """The data set of the running training, as long as that keeps it in memory."""
        session.dataset_loaded.connect(self._on_dataset_loaded)
        self._used = project.dataset_name
        self._needs_loading = False
        """Whether another data set was chosen while the page was hidden."""
        self._checks_next = ""
        """The name of a data set that was added, which is checked when it has been loaded."""
        # Other programs look for it from the start.
        self.queue = ReviewQueue()
        self.queue.setParent(self)
        self.queue.hide()

    @property
    def panels(self) -> Sequence[QWidget]:
        if not self._is_built:
            return ()
        center = self.adding if self._center.currentWidget() is self.adding else self.images
        side = self.queue if self._side.currentWidget() is self.queue else self.details
        return self.sets, center, side

    def build(self) -> QWidget:
        self.runner = CheckRunner(self._session, self)
        self.pretrained = PretrainedOffer(self._project, self._session, self._settings, self)
        self.sets, self.images = SetsPanel(), ImagesPanel(self.runner, self.pretrained)
        size = self.remembered(_THUMBNAILS)
        if size in SIDES:
            self.images.thumbnail_size.choose(size)
        self.images.thumbnail_size.changed.connect(lambda name: self.remember(_THUMBNAILS, str(name)))
        order = self.remembered(_ORDER)
        if order in self.images.sort.values:
            self.images.sort.choose(order)
        self.images.sort.changed.connect(lambda name: self.remember(_ORDER, str(name)))
        self.details = DetailsPanel(self._project, self._session)
        self.adding = AddImages(can_predict=True)
        self._center, self._side = QStackedWidget(), QStackedWidget()
        for center in (self.images, self.adding):
            self._center.addWidget(center)
        for side in (self.details, self.queue):
            self._side.addWidget(side)
        self.reviewing = Reviewing(self.images, self.queue, self.details, self.sets, self.runner, self)
        self._connect()
        self._used = self._project.dataset_name
        self._show_used()
        self.sets.list.refresh()
        self._find_unlisted()
        parts = (self.sets, self._center, self._side)
        return self.splitter("columns", Qt.Orientation.Horizontal, parts, (212, 716, 312), hero=1)

    def _connect(self) -> None:
        self.sets.path_chosen.connect(self._on_path_chosen)
        self.sets.comparison_requested.connect(self._on_comparison_requested)
        self.sets.list.source_chosen.connect(self._on_source_chosen)
        self.sets.list.unlisted_activated.connect(self._on_path_chosen)
        self.details.sets.chosen.connect(self._use)
        self.details.sets.folder_chosen.connect(self._on_path_chosen)
        self.details.sets.changed.connect(self._on_sets_changed)
        self.details.sets.details_loaded.connect(self.sets.list.show_details)
        self.adding.added.connect(self._on_added)
        self.adding.closed.connect(self._on_adding_closed)
        self.adding.prediction_requested.connect(self.prediction_requested)
        self.reviewing.opened.connect(self._on_review_opened)
        self.reviewing.message.connect(self.message)
        self.reviewing.changed.connect(self._show_foot)
        self.reviewing.changed.connect(self.labels_changed)
        self.reviewing.changed.connect(self.pretrained.refresh)
        self.pretrained.message.connect(self.message)
        self._project.dataset_changed.connect(self._on_dataset_changed)
        self._session.state_changed.connect(self._on_state_changed)

    def _on_review_opened(self, is_open: object) -> None:
        self._side.setCurrentWidget(self.queue if is_open else self.details)
        if is_open:
            self.queue.setFocus(Qt.FocusReason.OtherFocusReason)
        elif self.isVisible():
            self.images.grid.setFocus(Qt.FocusReason.OtherFocusReason)

    # The data set that is looked at

    def refresh_sets(self) -> None:
        """Lists the data sets again: they were changed elsewhere."""
        if self._is_built:
            self.details.sets.refresh()
            self._list_sets()
            self._find_unlisted()

    def follow_changes(self, changes: ListChanges) -> None:
        """Shows what another program has made of the list of data sets."""
        if not self._is_built:
            return
        viewed = changes.renamed.get(self._name, self._name)
        self.refresh_sets()
        if viewed != self._name or viewed in changes.changed:
            self._look_again_at(viewed)

    def _find_unlisted(self) -> None:
        """Lists images that were used by their path, without being added."""

        def find(progress: ProgressFunction, cancelled: CancelFunction) -> list[Path]:
            # Imported here, because the window is shown before the runs are read.
            from cnnstudio.runs.library.used_images import unlisted_images

            return unlisted_images([used], cancelled)

        if self._unlisted_task is not None:
            self._unlisted_task.cancel()
        used = self._used
        self._unlisted_task = task = IoTask(find, self)
        task.done.connect(self.sets.list.show_unlisted)
        task.start()

    def offer(self, path: Path) -> None:
        """Says what a folder, table or zip file of images is understood to be, and offers to add it."""
        self.ensure_built()
        self._on_path_chosen(path)

    def _on_path_chosen(self, path: object) -> None:
        assert isinstance(path, Path)
        if self.adding.is_adding:
            text = f"{path.name} was not looked at: wait for the data set in progress, or cancel it."
            self.message.emit(Message(text, is_error=True))
            return
        self._center.setCurrentWidget(self.adding)
        self.adding.look_at(path)

    def _on_added(self, added: object) -> None:
        assert isinstance(added, tuple)
        name, is_used, before = added
        self._checks_next = name
        self._center.setCurrentWidget(self.images)
        self.details.sets.refresh()
        self._on_sets_changed()
        self._look_again_at(name)
        # The set in use stays in use, under its new name, and may have other classes now.
        if is_used or (before and before == self._used):
            self._use(name)
        self.sets.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _look_again_at(self, name: str) -> None:
        """Looks at a data set that was perhaps looked at before, but may be understood in another way now."""
        self._name = ""
        self.sets.list.choose(name)
        if self._name != name:
            self._on_source_chosen(name)

    def _on_adding_closed(self) -> None:
        self._center.setCurrentWidget(self.images)
        self.sets.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _use(self, name: object) -> None:
        self._project.set_dataset(str(name), None)

    def _on_sets_changed(self) -> None:
        self._list_sets()
        self.sets_changed.emit()

    def _list_sets(self) -> None:
        self.sets.list.refresh()
        if self.sets.list.chosen != self._name:
            # It is no longer there.
            self._on_source_chosen(self.sets.list.chosen)
        elif self._viewed is None:
            # It may have come just now.
            self._load()

    def _on_dataset_changed(self, _: object) -> None:
        # The signal also tells what became known about the same data set.
        if self._project.dataset_name != self._used:
            self._used = self._project.dataset_name
            self._show_used()
            self.sets.list.choose(self._used)
            if self.sets.list.chosen != self._used:
                self._find_unlisted()

    def _show_used(self) -> None:
        self.sets.list.show_used(self._used)
        self.details.sets.show_used(self._used)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._needs_loading:
            self._load()

    def _on_source_chosen(self, name: object) -> None:
        if name != self._name:
            self._name = str(name)
            self.details.sets.show_only(self._name)
            self._clear("", "")
            self._load()

    def _clear(self, title: str, hint: str) -> None:
        self._viewed = None
        self.pretrained.show(None, None)
        self.reviewing.show_set(None)
        self.images.show_hint(title, hint)

    def _load(self) -> None:
        """Shows the images as soon as they are there."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._needs_loading = not self.isVisible()
        if self._needs_loading:
            return
        source = next((each for each in sources() if each.name == self._name), None)
        title = source.title if source is not None else ""
        if self.sets.list.is_unlisted(self._name):
            self._clear(Path(self._name).name, _UNLISTED)
        elif source is None:
            self._clear(title, "Choose a data set")
        elif not source.available():
            what = "This data set is not on this computer yet." if source.built_in else "Folder not found."
            self._clear(title, what)
        elif isinstance(source, FileSource):
            self._load_files(source)
        elif (dataset := self._in_memory()) is not None:
            self._show(without_files(self._name, dataset))
        else:
            self._fetch(source)

    def _fetch(self, source: Source) -> None:
        """Loads a built-in data set on the computing thread: the next training finds it in memory."""
        waits = self._session.state is not State.IDLE
        self._clear(source.title, _WAITS if waits else "Loading images…")
        name = self._name
        self._task = self._session.fetch(
            name, lambda dataset: self._show(without_files(name, dataset)), self.images.grid.show_hint
        )

    def _load_files(self, source: FileSource) -> None:
        """Loads the user's own files beside the corrections; decoding would slow a training down."""
        state = self._session.state
        if state is not State.IDLE and self._session.dataset_name != source.name:
            self._clear(source.title, _WAITS)
            return
        self._clear(source.title, "Loading images…")
        self._task = task = IoTask(
            lambda progress, cancelled: load_files(source, progress, cancelled), self, writes_files=True
        )
        task.progressed.connect(lambda progress: self.images.grid.show_hint(progress.text))
        task.done.connect(self._show)
        task.failed.connect(lambda text: self.images.grid.show_hint(str(text)))
        task.start()

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        name, dataset = loaded
        self._loaded = name, weakref.ref(dataset)
        if self._is_built and name == self._name and self._viewed is None:
            self._load()

    def _in_memory(self) -> Dataset | None:
        """The data set that is looked at, if a training has loaded it."""
        if self._loaded is None or self._loaded[0] != self._name:
            return None
        return self._loaded[1]()

    def _on_state_changed(self, state: object) -> None:
        if state is State.IDLE and self._viewed is None and self.images.grid.hint == _WAITS:
            if self._task is None:
                self._load()
            else:
                self.images.grid.show_hint("Loading images…")
        self._show_foot()

    def _show(self, viewed: object) -> None:
        assert isinstance(viewed, ViewedSet)
        if viewed.name != self._name:
            return
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._viewed = viewed
        self.reviewing.show_set(viewed, checks=viewed.name == self._checks_next)
        self._checks_next = ""
        self.pretrained.show(viewed, self.reviewing.training_labels)
        self._show_foot()
        self.labels_changed.emit()

    def _show_foot(self) -> None:
        """Whether a training uses the images now, after what the panel says of them."""
        is_training = self._session.state is not State.IDLE and self._session.dataset_name == self._name
        self.images.set_note(_IN_USE if is_training and self._viewed is not None else "")

    def _on_comparison_requested(self) -> None:
        viewed, overlay = self._viewed, self.overlay
        if viewed is None or viewed.source is None or overlay is None:
            return
        source = viewed.source

        def compare() -> None:
            # Meanwhile, another set may have been opened, or the button pressed again.
            if viewed is not self._viewed or self.findChild(VersionsDialog) is not None:
                return
            dialog = VersionsDialog(source, viewed.image, self)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

        # The version of now is the one with the last correction.
        overlay.when_kept(compare)

    # Reviewing

    @property
    def overlay(self) -> LabelOverlay | None:
        """The labels of the data set that is looked at, with the corrections; None if none is loaded."""
        return self.reviewing.overlay if self._is_built else None

    def looks_at(self, reference: str) -> bool:
        """Whether the data set of that name, or at that path, is looked at."""
        source = self._viewed.source if self._viewed is not None else None
        return bool(reference) and reference in (self._name, "" if source is None else str(source.path))

    def review(self, name: str, title: str, items: Sequence[ReviewItem]) -> None:
        """Opens the review queue with images of that data set, as soon as it is loaded.

        For what others have found: suspected label errors, misclassified images, a cell of the confusion
        matrix. The chip with this title keeps them.
        """
        self.ensure_built()
        self._on_adding_closed()
        self.sets.list.choose(name)
        if self.sets.list.chosen != name:
            text = "These images are in no data set of the list: add their folder first."
            self.message.emit(Message(text, is_error=True))
            return
        self.reviewing.give(name, title, items)
        if self._viewed is not None and self._viewed.name == name:
            self.reviewing.open_given(title)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text() == "/" and self._is_built and self.images.search.isVisible():
            self.images.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            super().keyPressEvent(event)

    def close_tasks(self) -> None:
        """Cancels downloads, scans and checks; waits for corrections that are being written."""
        if self._is_built:
            for task in (self._task, self._unlisted_task):
                if isinstance(task, IoTask):
                    task.cancel()
            self.reviewing.close_tasks()
            self.adding.close_tasks()
            self.images.close_tasks()
            self.details.close_tasks()
            self.runner.close()
            self.pretrained.task.cancel()
