"""The box in which the user edits the title, tags and note of a run."""

from __future__ import annotations

from PySide6.QtWidgets import QFormLayout, QLineEdit, QPlainTextEdit, QWidget

from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.runs.library.label import MAX_NOTE, MAX_TITLE, RunLabel, parse_tags
from cnnstudio.runs.library.summary import RunSummary

_NOTE_HEIGHT = 96
_MAX_TAGS_TEXT = 1_000


class LabelBox(MessageBox):
    """Fields for the three texts of a label. Nothing else in the run's folder changes."""

    def __init__(self, window: QWidget, run: RunSummary) -> None:
        content = QWidget()
        super().__init__(
            window,
            "Label run",
            f"Title, tags and note of “{run.title}”",
            icon="cnnstudio",
            answers=(
                Answer("cancel", "&Cancel", escape=True),
                Answer("save", "&Save", default=True, primary=True),
            ),
            content=content,
        )
        self.title = QLineEdit(run.label.title)
        self.title.setObjectName("labelTitle")
        self.title.setMaxLength(MAX_TITLE)
        self.title.setPlaceholderText(run.name)
        self.tags = QLineEdit(", ".join(run.label.tags))
        self.tags.setObjectName("labelTags")
        self.tags.setMaxLength(_MAX_TAGS_TEXT)
        self.tags.setPlaceholderText("baseline, to keep")
        self.note = QPlainTextEdit(run.label.note)
        self.note.setObjectName("labelNote")
        self.note.setFixedHeight(_NOTE_HEIGHT)
        self.note.setTabChangesFocus(True)
        form = QFormLayout(content)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(8)
        for text, field in (("Title", self.title), ("Tags", self.tags), ("Note", self.note)):
            field.setAccessibleName(text)
            form.addRow(Label(text), field)
        content.setFocusProxy(self.title)
        self.title.selectAll()

    def ask_label(self) -> RunLabel | None:
        """Waits for the label; None if the box was canceled."""
        if self.ask() != "save":
            return None
        return RunLabel(self.title.text(), parse_tags(self.tags.text()), self.note.toPlainText()[:MAX_NOTE])
