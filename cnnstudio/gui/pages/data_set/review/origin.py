"""Says that the images under review were found with earlier labels, and offers to look for them again."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from cnnstudio.gui.widgets.labels import Label


class Origin(QWidget):
    """Hidden where nothing has changed since."""

    def __init__(self) -> None:
        super().__init__()
        self.text = Label("", "help", "secondary", wrap=True)
        self.text.setObjectName("reviewOrigin")
        self.search_again = QPushButton("Search again")
        self.search_again.setObjectName("searchAgain")
        self.search_again.setProperty("role", "small")
        # The queue keeps the focus: its keys answer.
        self.search_again.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.search_again.setToolTip("Look for suspected label errors with the labels as they are now")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.text)
        column.addWidget(self.search_again, 0, Qt.AlignmentFlag.AlignLeft)
        self.hide()

    def show_text(self, text: str) -> None:
        """Shows it; an empty one hides everything."""
        self.text.setText(text)
        self.setVisible(bool(text))
