"""All advice on the design in one card."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.core.formatting import plural
from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.designer.quick_fix.finding_cards import AdviceColumn
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.overlay import Overlay

_WIDTH = 460
_MOST = 20
"""Cards at once: more of them nobody reads, and each takes time to make."""
_LARGEST_SHARE = 0.62
"""Of the window's height, for the cards."""
_CALM = "The network trains without them; each may make it learn better or cost less."


class AdvicePanel(Overlay):
    """Every tip with its layer, its fix and a way to dismiss it; and a way to see dismissed ones again."""

    def __init__(self, project: Project, window: QWidget) -> None:
        super().__init__("advicePanel", _WIDTH, window)
        self._desk = advice_desk(project)
        self._title = Label(role="title")
        self._calm = Label(_CALM, "help", "secondary", wrap=True)
        self._tips = AdviceColumn(project, names_layers=True)
        self._more = Label("", "help", "secondary", wrap=True)
        self._scroll = QScrollArea()
        self._content = QWidget()
        self._bring_back = QPushButton()
        self._close = QPushButton("Close")
        self._compose()
        self._desk.changed.connect(self._on_changed)

    def _compose(self) -> None:
        self._title.setObjectName("adviceTitle")
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content = self._content
        # Its height follows from its width alone: wrapped labels ask for more than they then take.
        content.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._tips)
        column.addWidget(self._more)
        column.addStretch()
        self._scroll.setWidget(content)
        self._scroll.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        self._bring_back.setObjectName("bringAdviceBack")
        self._bring_back.setProperty("role", "advice")
        self._bring_back.clicked.connect(self._desk.bring_back)
        self._close.setProperty("role", "advice")
        self._close.clicked.connect(self.leave)
        foot = QHBoxLayout()
        foot.addWidget(self._bring_back)
        foot.addStretch(1)
        foot.addWidget(self._close)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(14, 12, 14, 12)
        whole.setSpacing(8)
        whole.addWidget(self._title)
        whole.addWidget(self._calm)
        whole.addWidget(self._scroll)
        whole.addLayout(foot)

    def open(self, widget: QWidget, rect: QRect) -> None:
        """Shows all advice below `rect` of `widget`, and takes the focus."""
        self._fill()
        self.show_at(widget, rect)
        # Only what is shown has the paddings of the style sheet.
        self._fit()
        self.place_again()
        self.hold()
        stops = [stop for stop in (*self._tips.stops, self._bring_back, self._close) if stop.isVisible()]
        stops[0].setFocus(Qt.FocusReason.PopupFocusReason)

    def _on_changed(self, _: object) -> None:
        if self.isVisible():
            self._fill()
            self.place_again()

    def _fill(self) -> None:
        shown, dismissed = self._desk.shown, self._desk.dismissed
        self._title.setText(plural(len(shown), "tip") if shown else "No tips")
        self._calm.setVisible(bool(shown))
        self._tips.show_advice(shown[:_MOST])
        more = len(shown) - _MOST
        self._more.setText(f"And {plural(more, 'more tip')}; a lamp marks the rows that have one.")
        self._more.setVisible(more > 0)
        self._scroll.setVisible(bool(shown))
        self._bring_back.setVisible(bool(dismissed))
        self._bring_back.setText(f"Show {plural(len(dismissed), 'dismissed tip')} again")
        self._fit()

    def _fit(self) -> None:
        """As high as the tips are, if the window has the room."""
        wanted = self._content.heightForWidth(self.width() - 28)
        most = round(self.window().height() * _LARGEST_SHARE)
        self._scroll.setFixedHeight(max(min(wanted, most), 0))
