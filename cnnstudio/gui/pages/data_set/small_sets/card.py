"""The card above the images that offers to start from a pretrained network."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import Progress
from cnnstudio.gui.pages.data_set.small_sets.offer import PretrainedOffer
from cnnstudio.gui.pages.panel_parts import SIDE
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.progress import show_done
from cnnstudio.insight.curation.expected_accuracy import MIN_FOR_GROUPS
from cnnstudio.training.recipe.built_in import FEW_IMAGES, PRETRAINED
from cnnstudio.training.recipe.recipe import Recipe

_MEASURE = "Measure what to expect"


class PretrainedCard(QWidget):
    """Shows what is offered and measured; hidden where there is nothing to offer."""

    def __init__(self, offer: PretrainedOffer) -> None:
        super().__init__()
        self.setObjectName("pretrainedOffer")
        self.setAccessibleName("Start from a pretrained network")
        self._offer = offer
        self.text = Label(role="help", wrap=True)
        self.text.setObjectName("pretrainedOfferText")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedSize(96, 6)
        self._bar.setAccessibleName("Progress of the measurement")
        self.state = Label(role="help", tone="secondary", wrap=True)
        self.measure = QPushButton(_MEASURE)
        self.measure.setObjectName("measureExpectations")
        self.measure.setProperty("role", "small")
        self.measure.setToolTip(
            "Find out how accurate a new last layer and an empty network are here, in about a minute"
        )
        self.measure.clicked.connect(self._on_measure)
        self.accept = self._way("startFromPretrained", "Start from it: last layer", PRETRAINED)
        self.accept_more = self._way("startWithLastGroups", "Start from it: last groups too", FEW_IMAGES)
        self.about, self.about_more = Label(role="help", wrap=True), Label(role="help", wrap=True)
        self._close = QToolButton()
        self._close.setObjectName("dismissPretrained")
        self._close.setProperty("role", "quiet")
        self._close.setText("✕")
        self._close.setToolTip("Do not offer this for these images again")
        self._close.setAccessibleName("Close the offer")
        self._close.clicked.connect(offer.dismiss)
        self._arrange()
        offer.changed.connect(self.refresh)
        offer.progressed.connect(self._on_progressed)
        self.refresh()

    def _way(self, name: str, title: str, recipe: Recipe) -> QPushButton:
        button = QPushButton(title)
        button.setObjectName(name)
        button.setProperty("role", "small")
        button.setToolTip(
            f"Use EfficientNet-Lite0 and the recipe {recipe.name} for these images; can be undone"
        )
        button.clicked.connect(partial(self._offer.accept, recipe))
        return button

    def _arrange(self) -> None:
        frame = QFrame()
        frame.setProperty("role", "advice_card")
        above, ways, below = QHBoxLayout(), QGridLayout(), QHBoxLayout()
        above.setSpacing(8)
        above.addWidget(self.text, 1)
        above.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        ways.setHorizontalSpacing(8)
        ways.setVerticalSpacing(4)
        ways.setColumnStretch(1, 1)
        for row, (button, about) in enumerate(
            ((self.accept, self.about), (self.accept_more, self.about_more))
        ):
            ways.addWidget(button, row, 0)
            ways.addWidget(about, row, 1)
        below.setSpacing(8)
        # Not as wide as the card while nothing stands beside it.
        below.addWidget(self.measure, 0, Qt.AlignmentFlag.AlignLeft)
        below.addWidget(self._bar)
        below.addWidget(self.state, 1)
        rows = QVBoxLayout(frame)
        rows.setContentsMargins(12, 6, 6, 8)
        rows.setSpacing(4)
        rows.addLayout(above)
        rows.addLayout(ways)
        rows.addLayout(below)
        column = QVBoxLayout(self)
        column.setContentsMargins(SIDE, 0, SIDE, 8)
        column.addWidget(frame)

    def refresh(self) -> None:
        """Shows the offer as it is now."""
        offer = self._offer
        self.setVisible(offer.is_open)
        if not offer.is_open:
            return
        task, obstacle = offer.task, offer.obstacle
        is_computing = task.is_running and not task.is_resting
        self._bar.setVisible(is_computing)
        is_open = offer.can_measure and offer.expected is None
        self.measure.setVisible(not obstacle and (task.is_running or is_open))
        self.measure.setText("Cancel" if task.is_running else _MEASURE)
        for each in (self.accept, self.about, self.accept_more, self.about_more):
            each.setVisible(not obstacle)
        self.about.setText(f"{_sentence(offer.durations.get(PRETRAINED.name), 'Quick')}.")
        self.about_more.setText(
            f"{_sentence(offer.durations.get(FEW_IMAGES.name), 'Takes minutes')}. {_gain(offer.per_class)}"
        )
        self.state.setVisible(task.is_running)
        if task.is_resting:
            self.state.setText("The measurement goes on when the training has ended.")
        elif is_computing:
            self._bar.setRange(0, 0)
            self.state.setText("Measuring…")
        if offer.expected is not None:
            self.text.setText(offer.expected.sentence)
        else:
            # Also while it is measured: the ways below are about this network.
            few = f"{pluralize(offer.per_class, 'image')} per class {_are(offer.per_class)} few."
            why = "A network that has learned from a million photos needs fewer."
            self.text.setText(f"{few} {why} {obstacle}".rstrip())

    def _on_progressed(self, progress: Progress) -> None:
        if self._offer.task.is_resting or not self._offer.task.is_running:
            return
        if progress.total:
            show_done(self._bar, progress.done, progress.total)
        self.state.setText(progress.text)

    def _on_measure(self) -> None:
        if self._offer.task.is_running:
            self._offer.task.cancel()
        else:
            self._offer.measure()


def _sentence(duration: str | None, otherwise: str) -> str:
    return f"{duration[:1].upper()}{duration[1:]} on this machine" if duration else otherwise


def _gain(per_class: int) -> str:
    if per_class < MIN_FOR_GROUPS:
        return "With so few images per class, seldom more accurate."
    return "Usually a few points more accurate."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
