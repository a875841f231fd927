"""The review queue: one image after the other, answered by single keys.

Its answers are corrections beside the settings; the user's files are never touched.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QProgressBar, QPushButton, QVBoxLayout, QWidget

from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet
from cnnstudio.gui.pages.data_set.review.item_view import ItemView
from cnnstudio.gui.pages.data_set.review.label_grid import LabelGrid
from cnnstudio.gui.pages.data_set.review.origin import Origin
from cnnstudio.gui.pages.data_set.review.review_list import Answer, ReviewList
from cnnstudio.gui.pages.panel_parts import SIDE, PanelHead, fill
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_plain
from cnnstudio.gui.widgets.flow import FlowLayout
from cnnstudio.gui.widgets.icon_button import QuietButton
from cnnstudio.gui.widgets.labels import Label, Line, Panel
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.scroll_area import scroll_area

_FILES = "Files stay as they are; labels go into a list."
_BUILT_IN = "The labels of a built-in data set cannot be changed."
_TRAINING_HELP = "Train the run on show again with the same seed on the corrected images, and compare both"


class _KeyButton(QPushButton):
    """`Del exclude`, narrower than other buttons: four of them stand in a row."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key} {text}")
        self.setFont(theme().font("axis"))


class ReviewQueue(Panel):
    """Hidden until `review`; its content is built then."""

    closed = Signal()
    """The user has closed the queue."""
    shown = Signal(object)
    """(split, row) of the image that is shown, or None at the end."""
    training_requested = Signal()
    """The user wants to train again with the corrections."""
    search_requested = Signal()
    """The user wants these images to be looked for again."""

    def __init__(self) -> None:
        super().__init__("reviewQueue")
        self.setAccessibleName("Review queue")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.focus_target = self
        self.list: ReviewList | None = None
        self._viewed: ViewedSet | None = None
        self._overlay: LabelOverlay | None = None
        self._is_built = self._is_answering = False
        self._training_obstacle: str | None = None
        self.hide()

    def _ensure_built(self) -> None:
        if self._is_built:
            return
        self._is_built = True
        close = QuietButton("closeReview", "✕", "Close the review queue")
        close.clicked.connect(self.closed)
        self.head = PanelHead("Review", close)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(4)
        self._bar.setAccessibleName("Reviewed images")
        self.item_view, self.labels = ItemView(), LabelGrid()
        self.labels.chosen.connect(self._on_label_chosen)
        self._end = Label("", "content", wrap=True)
        self._end.setObjectName("reviewEnd")
        self.origin = Origin()
        self.origin.search_again.clicked.connect(self.search_requested)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(SIDE, 0, SIDE, 8)
        column.setSpacing(6)
        for each in (self._bar, self.origin, self.item_view, self.labels, self._end):
            column.addWidget(each)
        column.addStretch(1)
        scroll = scroll_area(body, by_keys=False)
        fill(self, self.head, scroll, self._build_foot(), hero=scroll)

    def _build_foot(self) -> QWidget:
        foot = QWidget()
        self._acts: dict[str, QPushButton] = {}
        row = FlowLayout(spacing=4)
        acts = (
            ("keep", "↵", "keep", "Keep the label as it is (Enter)", self.keep),
            (
                "exclude",
                "Del",
                "exclude",
                "Leave the image out of every training and evaluation",
                self.exclude,
            ),
            ("undo", "Z", "undo", "Take the last correction back (Z)", self.undo),
            ("skip", "→", "skip", "Decide later; ← goes back (→)", self.skip),
        )
        for name, key, text, tooltip, act in acts:
            button = _KeyButton(key, text)
            button.setObjectName(f"review_{name}")
            button.setAccessibleName(text.capitalize())
            button.setProperty("role", "key")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setToolTip(tooltip)
            button.clicked.connect(act)
            self._acts[name] = button
            row.addWidget(button)
        self._note = Label(_FILES, "help", "secondary", wrap=True)
        self.train_again = QPushButton("Train again with these corrections")
        self.train_again.setObjectName("trainAgain")
        self.train_again.setProperty("role", "outlined")
        self.train_again.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.train_again.clicked.connect(self.training_requested)
        column = QVBoxLayout(foot)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(6)
        column.addWidget(Line())
        inner = QVBoxLayout()
        inner.setContentsMargins(8, 2, 8, 0)
        inner.addLayout(row)
        inner.addWidget(self._note)
        inner.addWidget(self.train_again)
        column.addLayout(inner)
        return foot

    # What is reviewed

    def show_set(self, viewed: ViewedSet | None, overlay: LabelOverlay | None) -> None:
        """Says whose images are reviewed; what was reviewed before is closed."""
        self._viewed, self._overlay = viewed, overlay
        self.list = None

    def offer_training(self, obstacle: str | None) -> None:
        """Shows the button for it if `obstacle` is not None, enabled if that is empty."""
        self._training_obstacle = obstacle
        if self._is_built:
            self.train_again.setVisible(obstacle is not None)
            # In its place: the labels need the height.
            self._note.setVisible(obstacle is None)
            self.train_again.setEnabled(not obstacle)
            self.train_again.setToolTip(obstacle or _TRAINING_HELP)

    def review(
        self, title: str, items: Sequence[ReviewItem], *, resumes: bool = False, origin: str = ""
    ) -> None:
        """Shows the first of these images; those that are not in the data set are left out.

        With `resumes`, what was answered before stays, and the first image without an answer is shown. If
        `origin` says that they are of earlier labels, to look for them again is offered.
        """
        assert self._viewed is not None, "no data set is shown"
        self._ensure_built()
        self.offer_training(self._training_obstacle)
        places = self._viewed.places
        known = [item for item in items if item.file in places]
        self.list = ReviewList(title, known, self._answers(known) if resumes else None)
        can_change = self._viewed.source is not None
        self.labels.show_classes(self._viewed.classes)
        self.labels.setEnabled(can_change)
        for name in ("exclude", "undo"):
            self._acts[name].setEnabled(can_change)
        self._note.setText(_FILES if can_change else _BUILT_IN)
        self.origin.show_text(origin)
        self.refresh()

    def _answers(self, items: Sequence[ReviewItem]) -> dict[str, Answer]:
        """What the user has decided about these images before."""
        overlay, found = self._overlay, dict[str, Answer]()
        for item in items if overlay is not None else ():
            assert overlay is not None
            if item.file in overlay.entries:
                found[item.file] = "excluded" if overlay.label(item.file) is None else "labeled"
            elif overlay.is_confirmed(item.file):
                found[item.file] = "kept"
        return found

    def refresh(self) -> None:
        """Shows the current image with its label as it is now."""
        found, viewed, overlay = self.list, self._viewed, self._overlay
        if found is None or viewed is None or overlay is None:
            return
        total, item = len(found.items), found.current
        self.head.title.setText(plain_line(found.title, 40))
        self._bar.setRange(0, max(total, 1))
        self._bar.setValue(found.answered)
        for each in (self.item_view, self.labels):
            each.setVisible(item is not None)
        self._end.setVisible(item is None)
        self._acts["undo"].setEnabled(viewed.source is not None and self._can_undo)
        self._acts["keep"].setEnabled(item is not None)
        self._acts["skip"].setEnabled(item is not None or found.answered < total)
        self._acts["exclude"].setEnabled(item is not None and viewed.source is not None)
        if item is None:
            self.head.secondary.set_full_text(f"{found.answered:,} of {total:,}")
            self._end.setText(found.describe())
            self.shown.emit(None)
            return
        self.head.secondary.set_full_text(f"{found.index + 1:,} of {total:,}")
        self._show(item, viewed, overlay)

    def refresh_label(self) -> None:
        """Shows the current image again, whose label was changed elsewhere."""
        if not self._is_answering:
            self.refresh()

    def _show(self, item: ReviewItem, viewed: ViewedSet, overlay: LabelOverlay) -> None:
        part, row = viewed.places[item.file]
        neighbors = []
        for each in item.neighbors:
            place = viewed.places.get(each.file)
            if place is not None:
                name = overlay.label(each.file) or "excluded"
                neighbors.append((viewed.dataset.splits[place[0]].images[place[1]], name))
        label = overlay.label(item.file)
        self.item_view.show_item(item, viewed.dataset.splits[part].images[row], label, neighbors)
        self.labels.show_item(label or "", item.suggested, [name for _, name in neighbors])
        self.shown.emit((part, row))

    # Answers

    def _on_label_chosen(self, label: object) -> None:
        item = self.list.current if self.list is not None else None
        if item is not None and self._overlay is not None:
            before = self._overlay.label(item.file)
            self._is_answering = True
            self._overlay.set_label(item.file, str(label))
            self._is_answering = False
            if before == label:
                self.keep()
            else:
                self._answer("labeled")

    def keep(self) -> None:
        """The label is right."""
        item = self.list.current if self.list is not None else None
        if item is not None and self._overlay is not None:
            self._overlay.confirm(item.file)
            self._answer("kept")

    def exclude(self) -> None:
        """The image is not to be used."""
        item = self.list.current if self.list is not None else None
        can_change = self._viewed is not None and self._viewed.source is not None
        if item is not None and self._overlay is not None and can_change:
            self._is_answering = True
            self._overlay.exclude([item.file])
            self._is_answering = False
            self._answer("excluded")

    def skip(self) -> None:
        """Decided later."""
        if self.list is not None:
            self.list.skip()
            self.refresh()

    @property
    def _can_undo(self) -> bool:
        has_answer = self.list is not None and self.list.last_answer is not None
        return has_answer or (self._overlay is not None and self._overlay.can_undo)

    def undo(self) -> None:
        """Takes the last answer back, or else the last correction of before, and shows its image again."""
        if self._overlay is None or self.list is None:
            return
        file, answer = self.list.last_answer or ("", None)
        if answer == "kept":
            self._overlay.confirm(file, is_right=False)
        else:
            file = self._overlay.undo() or ""
        if file and self.list.last_answer == (file, answer):
            self.list.take_back()
        elif file:
            self.list.reopen(file)
        self.refresh()

    def _answer(self, answer: Answer) -> None:
        assert self.list is not None
        if self.list.current is None:
            return
        self.list.answer(answer)
        self.refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.isAutoRepeat() and event.key() not in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            # A key that is held down is one answer, not one for each of the next images.
            return
        if (
            (not is_plain(event) and event.modifiers() != Qt.KeyboardModifier.ShiftModifier)
            or not self._is_built
            or self.list is None
            or not self._take(Qt.Key(event.key()), event.text())
        ):
            super().keyPressEvent(event)

    def _take(self, key: Qt.Key, text: str) -> bool:
        """Does what a key means; whether it means anything."""
        acts = {
            Qt.Key.Key_Return: self.keep,
            Qt.Key.Key_Enter: self.keep,
            Qt.Key.Key_Delete: self.exclude,
            Qt.Key.Key_Backspace: self.exclude,
            Qt.Key.Key_Right: self.skip,
        }
        if key == Qt.Key.Key_Escape:
            if not self.labels.clear_typed():
                self.closed.emit()
        elif key == Qt.Key.Key_Left and self.list is not None:
            self.list.back()
            self.refresh()
        elif key == Qt.Key.Key_Backspace and self.labels.is_typing:
            self.labels.erase()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.labels.choose_typed():
            pass
        elif key in acts:
            acts[key]()
        elif key == Qt.Key.Key_Z and not self.labels.is_typing:
            self.undo()
        elif self.labels.isEnabled() and self.list is not None and self.list.current is not None:
            return self.labels.type(text)
        else:
            return False
        return True
