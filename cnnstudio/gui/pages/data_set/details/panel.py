"""The details: the chosen image and the data set, its figures, and augmented samples."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.data.data_sets import DataSets
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.pages.data_set.details.augmented import Augmented
from cnnstudio.gui.pages.data_set.details.image_details import ImageDetails
from cnnstudio.gui.pages.data_set.details.statistics import Statistics
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet
from cnnstudio.gui.pages.panel_parts import HEAD_HEIGHT, SIDE, fill
from cnnstudio.gui.widgets.labels import Panel
from cnnstudio.gui.widgets.scroll_area import scroll_area
from cnnstudio.gui.widgets.segments import Choice

DETAILS, FIGURES, AUGMENTED = range(3)


class DetailsPanel(Panel):
    """Three pages, of which one is shown."""

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__("detailsPanel")
        self.image, self.sets = ImageDetails(), DataSets()
        self.statistics, self.augmented = Statistics(), Augmented(project, session)
        self.pages = Choice("Details", ("Details", "Figures", "Augmented"))
        self.pages.changed.connect(self.show_page)
        first = QWidget()
        column = QVBoxLayout(first)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.image)
        column.addWidget(self.sets, 1)
        self._stack = QStackedWidget()
        for content, scrolls in ((first, False), (self.statistics, True), (self.augmented, True)):
            self._stack.addWidget(_page(content, scrolls=scrolls))
        head = QWidget()
        head.setFixedHeight(HEAD_HEIGHT)
        row = QHBoxLayout(head)
        row.setContentsMargins(SIDE, 0, SIDE, 0)
        row.addWidget(self.pages)
        row.addStretch(1)
        fill(self, head, self._stack, hero=self._stack)

    def show_page(self, index: object) -> None:
        """Turns to a page."""
        assert isinstance(index, int)
        self.pages.choose(index)
        self._stack.setCurrentIndex(index)
        if index == FIGURES:
            self.statistics.refresh()

    def show_set(self, viewed: ViewedSet | None, overlay: LabelOverlay | None) -> None:
        """Shows another data set; no image is chosen then."""
        self.image.show_set(viewed, overlay)
        self.statistics.show_set(viewed, overlay)
        self.augmented.show_set(viewed)

    def show_image(self, part: str, row: int) -> None:
        """Shows an image of the data set."""
        self.image.show_image(part, row)
        self.augmented.show_image(part, row)

    def close_tasks(self) -> None:
        """Ends what is done in the background."""
        self.image.close_tasks()
        self.statistics.close_tasks()
        self.augmented.close_tasks()
        self.sets.close_tasks()


def _page(content: QWidget, *, scrolls: bool) -> QWidget:
    inner = QWidget()
    column = QVBoxLayout(inner)
    column.setContentsMargins(SIDE, 0, SIDE, 12)
    column.addWidget(content)
    return scroll_area(inner) if scrolls else inner
