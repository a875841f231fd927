"""Connects what the checks found, the grid, the review queue and the details, over one data set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.core.formatting import pluralize
from cnnstudio.data.checks.findings import Finding, findings
from cnnstudio.data.dataset import Labels
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.pages.data_set.checks.check_runner import CheckRunner
from cnnstudio.gui.pages.data_set.checks.label_error_search import labels_with_exclusions
from cnnstudio.gui.pages.data_set.details.panel import FIGURES, DetailsPanel
from cnnstudio.gui.pages.data_set.details.statistics import describe_leaks
from cnnstudio.gui.pages.data_set.images.images_panel import ImagesPanel
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet
from cnnstudio.gui.pages.data_set.review.panel import ReviewQueue
from cnnstudio.gui.pages.data_set.sets_panel import VERSION_DIGITS, SetsPanel
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.plain_text import plain_line

_CORRECTED, _LEAKS, _GIVEN, _NEAR, _LABELS = "corrected", "leaks", "given", "near", "labels"
_LABEL_ERRORS = "Suspected label errors"
_MANY, _CHIPS_DELAY_MS = 2_000, 1_000
"""Findings after which the chips wait until no key was pressed for so long."""
_MAX_REVIEWED = 2_000
"""Images that are opened from the grid, not from a chip."""


class Reviewing(QObject):
    """What is chosen in one place shows in the others."""

    opened = Signal(object)
    """Whether the queue is open."""
    message = Signal(object)
    """A Message for the user."""
    changed = Signal()
    """The labels have changed, or what was found."""

    def __init__(
        self,
        images: ImagesPanel,
        queue: ReviewQueue,
        details: DetailsPanel,
        sets: SetsPanel,
        runner: CheckRunner,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._images, self._queue, self._details, self._sets = images, queue, details, sets
        self._runner = runner
        self._viewed: ViewedSet | None = None
        self.overlay: LabelOverlay | None = None
        self._findings: dict[str, Finding] = {}
        self._given: dict[str, dict[str, Sequence[ReviewItem]]] = defaultdict(dict)
        """What others have found: data set -> title -> images."""
        self._wanted = ""
        """The title of what is to be reviewed as soon as its data set is shown."""
        self._reviews = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_CHIPS_DELAY_MS)
        self._later.timeout.connect(self._show_chips)
        images.chips.chosen.connect(self._on_chip_chosen)
        images.image_chosen.connect(self._on_image_chosen)
        images.review_requested.connect(self._on_review_requested)
        images.split_shown.connect(self._on_split_shown)
        queue.shown.connect(self._on_shown)
        queue.closed.connect(self.close)
        queue.search_requested.connect(self._on_search_requested)
        details.image.review_requested.connect(self._on_review_of_details)
        sets.undo_all_requested.connect(self._on_undo_all)
        runner.changed.connect(self._on_report_changed)
        runner.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))

    # The data set

    def show_set(self, viewed: ViewedSet | None, *, checks: bool = False) -> None:
        """Shows another data set; with `checks`, checks it unless that was done before."""
        if self.overlay is not None:
            self.overlay.finish()
            self.overlay.changed.disconnect(self._on_labels_changed)
            self.overlay.close()
        self._viewed, self.overlay = viewed, None
        if viewed is not None:
            self.overlay = LabelOverlay(viewed, self)
            self.overlay.changed.connect(self._on_labels_changed)
            self.overlay.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        self._queue.show_set(viewed, self.overlay)
        self._set_open(False)
        self._details.show_set(viewed, self.overlay)
        has_corrections = viewed is not None and viewed.source is not None
        self._sets.show_corrections(self.overlay if has_corrections else None)
        self._images.chips.choose(None)
        if viewed is not None and self.overlay is not None:
            self._images.show_set(viewed, self.overlay)
        self._runner.show(viewed, self._labels_now, checks=checks)
        if self._wanted and viewed is not None and self._wanted in self._given[viewed.name]:
            self.open_given(self._wanted)

    def _on_labels_changed(self, _: object) -> None:
        assert self.overlay is not None
        self._sets.show_corrections(self.overlay)
        self._images.arrange()
        self._details.image.refresh()
        self._details.statistics.refresh()
        if self._queue.isVisible():
            self._queue.refresh_label()
        report = self._runner.report
        if report is None or len(report.near) + len(report.across) < _MANY:
            self._show_chips()
        else:
            # Takes seconds for 100,000 pairs, which must not come between two keys.
            self._later.start()
        self.changed.emit()

    def _on_undo_all(self) -> None:
        if self.overlay is not None:
            count = len(self.overlay.entries)
            self.overlay.undo_all()
            overlay, step = self.overlay, self.overlay.last_step
            text = f"{pluralize(count, 'correction')} undone."

            def holds() -> bool:
                return self.overlay is overlay and overlay.last_step is step

            def restore() -> None:
                # Another correction, or another data set, may have come between.
                if holds():
                    overlay.undo()

            self.message.emit(Message(text, button="Restore", action=restore, holds=holds))

    def _labels_now(self) -> tuple[str, Mapping[str, Labels]]:
        assert self.overlay is not None
        return self.overlay.version, labels_with_exclusions(self.overlay.labels, self.overlay.excluded)

    def training_labels(self) -> tuple[str, Labels]:
        """The version of the data set now, and its training labels, negative for excluded images."""
        version, labels = self._labels_now()
        return version, labels["train"]

    # What was found

    def give(self, name: str, title: str, items: Sequence[ReviewItem]) -> None:
        """Keeps images of a data set that others have found, for a chip of that title."""
        self._given[name][title] = tuple(items)
        self._wanted = title
        if self._viewed is not None and self._viewed.name == name:
            self._show_chips()

    def open_given(self, title: str) -> None:
        """Opens the queue with what was given under that title."""
        self._wanted = ""
        self._show_chips()
        key = self._given_key(title)
        self._images.chips.choose(key)
        self._on_chip_chosen(key)

    def _given_key(self, title: str) -> str:
        assert self._viewed is not None
        return f"{_GIVEN}{list(self._given[self._viewed.name]).index(title)}"

    def _on_report_changed(self) -> None:
        report = self._runner.report
        self._details.statistics.show_report(report)
        self._show_chips()

    def _show_chips(self) -> None:
        """The chips of what others found, of the checks, and of the corrections."""
        viewed, overlay, report = self._viewed, self.overlay, self._runner.report
        if viewed is None or overlay is None:
            self._findings = {}
            return
        found: list[Finding] = []
        for title, items in self._given[viewed.name].items():
            present = tuple(item for item in items if overlay.place(item.file) is not None)
            found.append(Finding(self._given_key(title), title, present))
        # A run that was asked, and has seen more of these images, knows it better.
        known = self._runner.label_errors.found
        has_label_chip = _LABEL_ERRORS not in self._given[viewed.name]
        if has_label_chip and known is not None:
            items = tuple(item for item in known.items if overlay.place(item.file) is not None)
            found.append(Finding(_LABELS, _LABEL_ERRORS, items))
        elif has_label_chip and report is not None:
            found.append(Finding(_LABELS, _LABEL_ERRORS, ()))
        if report is not None:
            found += findings(report, overlay.place)
        if overlay.entries:
            found.append(Finding(_CORRECTED, "Corrected", tuple(self._corrected(viewed, overlay))))
        self._findings = {each.key: each for each in found}
        chips: list[tuple[str, str, int | None, str]] = []
        for each in found:
            hint = self._why_unknown(each.key)
            is_known = not hint
            hint = (
                hint
                or each.consequence
                or self._origin(each.key)
                or f"Show these images and review them: {each.title.lower()}"
            )
            chips.append((each.key, each.title, len(each.items) if is_known else None, hint))
        if report is not None:
            chips.append((_LEAKS, "Leaks", len(report.leaks), describe_leaks(report)))
        self._images.chips.version = overlay.version
        self._images.chips.show_chips(chips)
        self._images.chips.show_state()
        self._mark()

    def _why_unknown(self, key: str) -> str:
        """Why a check was not made, as the chip says it; empty if it was."""
        report, search = self._runner.report, self._runner.label_errors
        if key == _NEAR and report is not None and not report.has_all_pairs:
            return "Look-alikes within a split were not looked for in so many images: press to compare all"
        if key == _LABELS and search.found is None:
            if search.obstacle:
                return search.obstacle
            if search.task.is_running:
                return "Label errors are being looked for"
            return "Press to look for labels that the features of a pretrained network contradict"
        return ""

    def _origin(self, key: str) -> str:
        """From which labels a finding is, if they have changed since; else empty."""
        found, overlay = self._runner.label_errors.found, self.overlay
        if key != _LABELS or found is None or overlay is None or found.version == overlay.version:
            return ""
        version = plain_line(found.version[:VERSION_DIGITS])
        return f"Found with the labels of version {version}, which have changed since."

    def _on_search_requested(self) -> None:
        self.close()
        self._runner.label_errors.start()

    def _corrected(self, viewed: ViewedSet, overlay: LabelOverlay) -> list[ReviewItem]:
        items = []
        for file, label in overlay.entries.items():
            place = viewed.places.get(file)
            if place is not None:
                own = overlay.label_in_file(file)
                reason = (
                    f"Excluded by you; the file says {own}." if label is None else f"The file says {own}."
                )
                items.append(ReviewItem(file, label or own, own, None, reason, (), *place))
        return items

    def _mark(self) -> None:
        """Puts a badge on the images that others doubt, such as those with suspected label errors."""
        marked = {
            item.row
            for key, finding in self._findings.items()
            if key.startswith(_GIVEN) or key == _LABELS
            for item in self._located(finding.items)
            if item.split == self._images.part
        }
        self._images.grid.mark(frozenset(marked))

    def _located(self, items: Sequence[ReviewItem]) -> list[ReviewItem]:
        """The items that are in the set, with the places that they have here."""
        assert self._viewed is not None
        places = self._viewed.places
        found = []
        for item in items:
            place = places.get(item.file)
            if place is not None:
                found.append(
                    ReviewItem(
                        *(item.file, item.label, item.suggested, item.score, item.reason, item.neighbors),
                        *place,
                    )
                )
        return found

    def _on_chip_chosen(self, key: object) -> None:
        if key is None:
            self._images.narrow(None)
            self._set_open(False)
            return
        if key == _LEAKS:
            self._images.narrow(None)
            self._set_open(False)
            self._details.show_page(FIGURES)
            return
        finding = self._findings.get(str(key))
        if finding is None:
            return
        if self._why_unknown(finding.key):
            self._images.chips.choose(None)
            if key == _NEAR:
                self._runner.start(all_pairs=True)
            else:
                self._runner.label_errors.start()
            return
        items = self._located(finding.items)
        self._images.narrow(_rows_of(items))
        # What was corrected is looked at again from the beginning.
        self._open(finding.title, items, resumes=key != _CORRECTED, origin=self._origin(finding.key))

    # The queue

    def _open(
        self, title: str, items: Sequence[ReviewItem], *, resumes: bool = False, origin: str = ""
    ) -> None:
        self._set_open(True)
        self._queue.review(title, items, resumes=resumes, origin=origin)

    def _set_open(self, is_open: bool) -> None:
        if is_open != self._reviews:
            self._reviews = is_open
            self.opened.emit(is_open)

    def close(self) -> None:
        """Closes the queue and shows all images again."""
        self._images.chips.choose(None)
        self._images.narrow(None)
        self._set_open(False)

    def _on_shown(self, place: object) -> None:
        if isinstance(place, tuple):
            part, row = place
            if part != self._images.part:
                self._images.show_part(part)
            self._images.grid.choose(row)

    def _on_image_chosen(self, place: object) -> None:
        assert isinstance(place, tuple)
        assert self._viewed is not None
        part, row = place
        self._details.show_image(part, row)
        found = self._queue.list
        if self._reviews and found is not None and found.go_to(self._viewed.files[part][row]):
            self._queue.refresh()

    def _on_review_requested(self, place: object) -> None:
        """Goes through the images of the grid in its order, from one on."""
        assert isinstance(place, tuple)
        viewed, overlay, (part, row) = self._viewed, self.overlay, place
        if viewed is None or overlay is None or self._reviews:
            return
        sequence = self._images.grid.sequence
        rows = [row]
        if sequence is not None and part == self._images.part:
            # The image may be chosen and not on show any more, as after a search.
            found = np.flatnonzero(sequence == row)
            rows = sequence[found[0] :].tolist() if len(found) else rows
        items = []
        for each in rows[:_MAX_REVIEWED]:
            file = viewed.files[part][each]
            label = overlay.label(file) or overlay.label_in_file(file)
            items.append(ReviewItem(file, label, split=part, row=each))
        self._open("Review", items)

    def _on_review_of_details(self) -> None:
        file = self._details.image.file
        if self._viewed is not None and file:
            self._on_review_requested(self._viewed.places[file])

    def _on_split_shown(self, part: object) -> None:
        self._details.statistics.show_part(str(part))
        if self._viewed is not None:
            self._mark()

    def close_tasks(self) -> None:
        """Waits for the corrections to be written."""
        if self.overlay is not None:
            self.overlay.finish()


def _rows_of(items: Sequence[ReviewItem]) -> Mapping[str, frozenset[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for item in items:
        found[item.split].add(item.row)
    return {part: frozenset(rows) for part, rows in found.items()}
