"""The images of one split of the data set that is looked at: searched, sorted, and filtered by the checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QComboBox, QLineEdit, QPushButton

from cnnstudio.core.formatting import format_count, pluralize
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.data.dataset import Rows
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.dashboard.menu_choice import MenuChoice
from cnnstudio.gui.pages.data_set.checks.check_runner import CheckRunner
from cnnstudio.gui.pages.data_set.checks.chips import CheckChips
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.order import (
    SORTS,
    Keys,
    Mask,
    brightness,
    by_name,
    file_areas,
    matching,
    rows_by_class,
)
from cnnstudio.gui.pages.data_set.images.thumbnail_painter import SIDES
from cnnstudio.gui.pages.data_set.images.thumbnails import Thumbnails
from cnnstudio.gui.pages.data_set.images.viewed_set import SPLITS, ViewedSet
from cnnstudio.gui.pages.data_set.small_sets.card import PretrainedCard
from cnnstudio.gui.pages.data_set.small_sets.offer import PretrainedOffer
from cnnstudio.gui.pages.panel_parts import PanelFoot, PanelHead, fill
from cnnstudio.gui.widgets.labels import ElidedLabel, Panel
from cnnstudio.gui.widgets.plain_text import plain_line

_SEARCH_DELAY_MS = 120
_MAX_SEARCH = 200


class ImagesPanel(Panel):
    """Head, chips, grid and foot. Shows one split at a time."""

    image_chosen = Signal(object)
    """(split, row) of the chosen image, or None."""
    review_requested = Signal(object)
    """(split, row) of an image that was opened."""
    split_shown = Signal(object)
    """The name of the split that is shown now."""

    def __init__(self, runner: CheckRunner, offer: PretrainedOffer) -> None:
        super().__init__("imagesPanel")
        self._viewed: ViewedSet | None = None
        self._overlay: LabelOverlay | None = None
        self._only: Mapping[str, frozenset[int]] | None = None
        """The images to which a chip narrows the grid, by split."""
        self._keys: dict[tuple[str, str], Rows] = {}
        """What was sorted once: sort and split -> order."""
        self._task: IoTask | None = None
        self._sorting: tuple[str, str] | None = None
        """Sort and split of the order that is being found out."""
        self._sentence = self._note = ""
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_SEARCH_DELAY_MS)
        self._later.timeout.connect(self.arrange)
        self._create(runner)
        self.card = PretrainedCard(offer)
        foot = PanelFoot(self.balance, self.sort, self.thumbnail_size)
        fill(self, self.head, self.chips, self.card, self.grid, foot, hero=self.grid)
        self.focus_target = self.grid

    def _create(self, runner: CheckRunner) -> None:
        self.split = QComboBox()
        self.split.setObjectName("splitSelector")
        self.split.setProperty("role", "small")
        self.split.setAccessibleName("Split")
        self.split.currentIndexChanged.connect(self._on_split_chosen)
        self.search = QLineEdit()
        self.search.setObjectName("imageSearch")
        self.search.setProperty("role", "small")
        self.search.setPlaceholderText("Search")
        self.search.setToolTip("Show only images whose file names contain this (/)")
        self.search.setAccessibleName("Search file names")
        self.search.setMaxLength(_MAX_SEARCH)
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(112)
        self.search.textChanged.connect(lambda _: self._later.start())
        for each in (self.split, self.search):
            # Hidden until the images have come; their places are kept.
            policy = each.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            each.setSizePolicy(policy)
        self.all_classes = QPushButton("All classes")
        self.all_classes.setObjectName("allClasses")
        self.all_classes.setProperty("role", "small")
        self.all_classes.setToolTip("Show all classes again (Esc)")
        self.all_classes.clicked.connect(lambda: self.grid.show_class(None))
        self.head: PanelHead = PanelHead("", self.all_classes, self.split, self.search)
        self.chips: CheckChips = CheckChips(runner)
        self.grid: Thumbnails = Thumbnails()
        self.grid.class_chosen.connect(self._on_class_chosen)
        self.grid.chosen.connect(lambda row: self.image_chosen.emit((self.part, row)))
        self.grid.activated.connect(lambda row: self.review_requested.emit((self.part, row)))
        self.grid.left.connect(self._on_left)
        self.balance: ElidedLabel = ElidedLabel(role="help", tone="secondary")
        self.sort: MenuChoice = MenuChoice("imageSort", "Sort", SORTS, "In which order the images are shown")
        self.sort.changed.connect(lambda _: self.arrange())
        sizes = {name: name for name in SIDES}
        tooltip = "How large the images are shown (Ctrl and the mouse wheel)"
        self.thumbnail_size: MenuChoice = MenuChoice("thumbnailSize", "Images", sizes, tooltip)
        self.thumbnail_size.changed.connect(lambda name: self.grid.set_size(str(name)))
        self.grid.size_wanted.connect(lambda name: self.thumbnail_size.choose(str(name)))
        self._show_controls(False)

    def _show_controls(self, has_images: bool) -> None:
        self.split.setVisible(has_images)
        self.search.setVisible(has_images)
        self.sort.setEnabled(has_images)
        self.chips.setVisible(has_images)
        self.all_classes.hide()

    @property
    def part(self) -> str:
        """The split that is shown."""
        return str(self.split.currentData() or "train")

    # What is shown

    def show_hint(self, title: str, hint: str) -> None:
        """Shows a sentence in place of the images."""
        self.close_tasks()
        self._viewed = self._overlay = self._only = None
        self.head.title.setText(plain_line(title, 60))
        self.head.secondary.set_full_text("")
        self.balance.set_full_text("")
        self._show_controls(False)
        self.grid.show_hint(hint)

    def show_set(self, viewed: ViewedSet, overlay: LabelOverlay) -> None:
        """Shows the training images of a data set."""
        self.close_tasks()
        self._viewed, self._overlay, self._only = viewed, overlay, None
        self._keys.clear()
        self.search.blockSignals(True)
        self.search.clear()
        self.search.blockSignals(False)
        self.split.blockSignals(True)
        self.split.clear()
        for part, name in SPLITS.items():
            if part in viewed.dataset.splits:
                self.split.addItem(name, part)
        self.split.blockSignals(False)
        self._show_controls(True)
        self._on_split_chosen()

    def show_part(self, part: str) -> None:
        """Turns to another split."""
        index = self.split.findData(part)
        if index >= 0:
            self.split.setCurrentIndex(index)

    def _on_class_chosen(self, index: object) -> None:
        self.all_classes.setVisible(index is not None)
        self._describe_shown()

    def _describe_shown(self) -> None:
        """Says beside the title how many images there are: of the class that is shown alone, else of all."""
        viewed, alone = self._viewed, self.grid.alone
        if viewed is None or self.part not in viewed.dataset.splits:
            return
        channels, height, width = viewed.dataset.shape
        kind = "color" if channels >= 3 else "gray"
        count = len(viewed.dataset.splits[self.part]) if alone is None else self.grid.counts[alone]
        start = "" if alone is None else f"{plain_line(viewed.classes[alone], 40)}: "
        self.head.secondary.set_full_text(f"{start}{pluralize(count, 'image')} · {width} × {height} · {kind}")

    def _on_split_chosen(self, *_: object) -> None:
        viewed = self._viewed
        if viewed is None or self.part not in viewed.dataset.splits:
            return
        split = viewed.dataset.splits[self.part]
        self.head.title.setText(plain_line(viewed.title, 60))
        self.grid.show_split(split, viewed.classes)
        self.all_classes.hide()
        self.arrange()
        self.split_shown.emit(self.part)

    def narrow(self, only: Mapping[str, frozenset[int]] | None) -> None:
        """Shows only these images, by split, or all for None."""
        self._only = only
        if only is not None and not only.get(self.part):
            # A chip that shows nothing would look like one that found nothing.
            part = next((each for each in SPLITS if only.get(each)), None)
            if part is not None and part != self.part:
                self.show_part(part)
                return
        self.arrange()

    def arrange(self, *_: object) -> None:
        """Shows the images that are searched for in the chosen order, with the labels as they are now."""
        self._later.stop()
        viewed, overlay = self._viewed, self._overlay
        if viewed is None or overlay is None:
            return
        order = self._order()
        # As they are stored until the order is known: the rows of another split must not stay.
        is_sorting = order is None and self.sort.value != "label"
        labels, shown = overlay.labels[self.part], self._shown(viewed, overlay)
        rows = rows_by_class(labels, shown, len(viewed.classes), order)
        flat = None
        if self.sort.value != "label":
            every = np.arange(len(labels)) if order is None else order
            flat = every[shown[every]]
        is_filtered = bool(self.search.text().strip()) or self._only is not None
        self.grid.show_rows(rows, flat, is_filtered=is_filtered)
        self._describe_shown()
        self._sentence = "Sorting…" if is_sorting else self._describe(is_filtered)
        self._show_foot()

    def set_note(self, note: str) -> None:
        """Adds a note to what the foot says."""
        self._note = note
        if self._viewed is not None:
            self._show_foot()

    def _show_foot(self) -> None:
        self.balance.set_full_text(" · ".join(part for part in (self._sentence, self._note) if part))

    def _shown(self, viewed: ViewedSet, overlay: LabelOverlay) -> Mask:
        shown = ~overlay.excluded[self.part]
        if self._only is not None:
            # Excluded ones too: a chip may be about them.
            shown = np.zeros(len(shown), bool)
            shown[list(self._only.get(self.part, ()))] = True
        text = self.search.text()
        if text.strip():
            shown &= matching(viewed.files[self.part], text)
        return shown

    def _describe(self, is_filtered: bool) -> str:
        counts, viewed = self.grid.counts, self._viewed
        assert viewed is not None
        if is_filtered:
            return f"{pluralize(sum(counts), 'image')} shown"
        return describe_balance(counts, viewed.classes)

    # The order

    def _order(self) -> Rows | None:
        """The order of all images of the split; None as stored, or if it has to be found out first."""
        viewed, sort = self._viewed, self.sort.value
        assert viewed is not None
        if sort == "label":
            return None
        key = (sort, self.part)
        if key in self._keys:
            return self._keys[key]
        if self._sorting != key:
            self._find_order(viewed, *key)
        return None

    def _find_order(self, viewed: ViewedSet, sort: str, part: str) -> None:
        if self._task is not None:
            self._task.cancel()

        def find(progress: ProgressFunction, cancelled: CancelFunction) -> Rows:
            if sort == "name":
                return by_name(viewed.files[part])
            keys: Keys = (
                brightness(viewed.dataset.splits[part], cancelled)
                if sort == "brightness"
                else file_areas(viewed, part, progress, cancelled)
            )
            return np.argsort(keys, kind="stable")

        def on_done(order: object) -> None:
            assert isinstance(order, np.ndarray)
            self._keys[sort, part], self._sorting = order, None
            self.arrange()

        self._sorting = (sort, part)
        self._task = IoTask(find, self)
        self._task.progressed.connect(self._on_progressed)
        self._task.done.connect(on_done)
        self._task.failed.connect(self._on_sort_failed)
        self._task.start()

    def _on_sort_failed(self, reason: object) -> None:
        self._sorting = None
        self.balance.set_full_text(str(reason))

    def _on_progressed(self, progress: Progress) -> None:
        self.balance.set_full_text(progress.text)

    def _on_left(self) -> None:
        """Escape in the grid: first the search goes, then the chip."""
        if self.search.text():
            self.search.clear()
        elif self.chips.chosen_key is not None:
            self.chips.choose(None)
            self.chips.chosen.emit(None)

    def close_tasks(self) -> None:
        """Ends what is done in the background."""
        self._later.stop()
        self.grid.tiles.close()
        self._sorting = None
        if self._task is not None:
            self._task.cancel()
            self._task = None


def describe_balance(counts: Sequence[int], classes: Sequence[str]) -> str:
    """`Balanced: 5,000 images per class`, or which classes have the fewest and the most."""
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    if low == high:
        return f"Balanced: {pluralize(low, 'image')} per class"
    names = plain_line(classes[counts.index(low)], 40), plain_line(classes[counts.index(high)], 40)
    return f"Fewest: {names[0]} ({format_count(low)}) · most: {names[1]} ({format_count(high)})"
