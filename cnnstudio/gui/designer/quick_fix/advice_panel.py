"""The panel with all advice on the design."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.designer.quick_fix.finding_cards import AdviceColumn
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.overlay import Overlay
from cnnstudio.gui.widgets.scroll_area import scroll_area

_WIDTH = 460
_MAX_CARDS = 20
"""Nobody reads more at once, and each card takes time to create."""
_MAX_HEIGHT_FRACTION = 0.62
"""The height of the cards as a fraction of the window's height."""
_INTRO = "Optional: each may improve accuracy or reduce cost."


class AdvicePanel(Overlay):
    """Lists every tip with its layer, its fix and a Dismiss button; dismissed tips can be restored."""

    def __init__(self, project: Project, window: QWidget) -> None:
        super().__init__("advicePanel", _WIDTH, window)
        self._service = advice_service(project)
        self._title = Label(role="title")
        self._intro = Label(_INTRO, "help", "secondary", wrap=True)
        self._tips = AdviceColumn(project, names_layers=True)
        self._more = Label("", "help", "secondary", wrap=True)
        self._content = QWidget()
        self._scroll = scroll_area(self._content, by_keys=False)
        self._restore = QPushButton()
        self._close = QPushButton("Close")
        self._compose()
        self._service.changed.connect(self._on_changed)

    def _compose(self) -> None:
        self._title.setObjectName("adviceTitle")
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        content = self._content
        # The height is computed from the width in `_fit`: wrapped labels ask for more than they need.
        content.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._tips)
        column.addWidget(self._more)
        column.addStretch()
        self._restore.setObjectName("restoreAdvice")
        self._restore.setProperty("role", "advice")
        self._restore.clicked.connect(self._service.restore_dismissed)
        self._close.setProperty("role", "advice")
        self._close.clicked.connect(self.dismiss)
        footer = QHBoxLayout()
        footer.addWidget(self._restore)
        footer.addStretch(1)
        footer.addWidget(self._close)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(14, 12, 14, 12)
        outer.setSpacing(8)
        outer.addWidget(self._title)
        outer.addWidget(self._intro)
        outer.addWidget(self._scroll)
        outer.addLayout(footer)

    def open(self, widget: QWidget, rect: QRect) -> None:
        """Shows all advice below `rect` of `widget` and takes the focus."""
        self._fill()
        self.show_at(widget, rect)
        # Again, now that it is visible: the style sheet applies its padding only to visible widgets.
        self._fit()
        self.reposition()
        self.hold_focus()
        stops = [stop for stop in (*self._tips.tab_stops, self._restore, self._close) if stop.isVisible()]
        stops[0].setFocus(Qt.FocusReason.PopupFocusReason)

    def _on_changed(self, _: object) -> None:
        if self.isVisible():
            self._fill()
            self.reposition()

    def _fill(self) -> None:
        shown, dismissed = self._service.shown, self._service.dismissed
        self._title.setText(pluralize(len(shown), "tip") if shown else "No tips")
        self._intro.setVisible(bool(shown))
        self._tips.show_advice(shown[:_MAX_CARDS])
        more = len(shown) - _MAX_CARDS
        self._more.setText(f"And {pluralize(more, 'more tip')}; a light bulb marks the layers that have one.")
        self._more.setVisible(more > 0)
        self._scroll.setVisible(bool(shown))
        self._restore.setVisible(bool(dismissed))
        self._restore.setText(f"Restore {pluralize(len(dismissed), 'dismissed tip')}")
        self._fit()

    def _fit(self) -> None:
        """Makes the panel as tall as the tips, up to a fraction of the window."""
        needed = self._content.heightForWidth(self.width() - 28)
        limit = round(self.window().height() * _MAX_HEIGHT_FRACTION)
        self._scroll.setFixedHeight(max(min(needed, limit), 0))
