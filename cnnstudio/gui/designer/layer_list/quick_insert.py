"""The field in which new layers are typed, right where they will stand: `conv 64 3 relu same`."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import plural, spoken
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import Analysis, LayerReport, analyze
from cnnstudio.design.network import Network, Node, Place
from cnnstudio.design.text.shorthand import Beginning, beginning, read_phrase
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.palette.type_list import ROW_HEIGHT, TYPE_ROLE, TypeDelegate
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.layers.base import Layer, ShapeError

_LONGEST = 2_000
_MOST_SUGGESTIONS = 6
_WIDTH = 560
_NARROWEST = 260
_MARGIN = 6
_TABS = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
_HINT = "conv 64 3 relu same, pool, residual(…) · Enter adds · Ctrl+[ leaves the group · Escape ends"


class QuickInsert(QFrame):
    """The field, what it would add, and the types that the word in it may become.

    Enter adds the layers after the selection and leaves the field open for the next ones. When it is closed
    the keys go back to `home`.
    """

    closed = Signal()
    moved = Signal()
    """What is typed would now stand at another place, or the card has another height."""

    def __init__(self, project: Project, home: QWidget) -> None:
        super().__init__()
        self._project = project
        self._home = home
        self._beginning: Beginning | None = None
        self._chosen_place: Place | None = None
        self.setObjectName("quickInsertCard")
        self.setProperty("role", "popup")
        self.field = _Field(self)
        self._types = QListWidget()
        self._preview = Label(_HINT, "help", "secondary", wrap=True)
        self._compose()
        self.field.textChanged.connect(self._on_typed)
        self._types.itemClicked.connect(lambda _: self.complete())
        self.hide()

    def _compose(self) -> None:
        self._preview.setObjectName("quickInsertPreview")
        self._preview.setContentsMargins(10, 0, 10, 0)
        self._types.setObjectName("quickInsertTypes")
        self._types.setItemDelegate(TypeDelegate(self._types))
        self._types.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._types.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._types.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(_MARGIN,) * 4)
        column.setSpacing(_MARGIN)
        column.addWidget(self.field)
        column.addWidget(self._preview)
        column.addWidget(self._types)
        theme().changed.connect(self._on_theme_changed)

    @property
    def place(self) -> Place:
        """Where the layers will stand: after the selection, unless the user has left the group there."""
        chosen = self._chosen_place
        if chosen is None or (chosen.parent is not None and chosen.parent not in self._project.network):
            return commands.place_after_selection(self._project)
        return chosen

    def open(self, window: QWidget, text: str = "") -> None:
        """Shows the field, which then has the keys, above all that is in the window."""
        self.setParent(window)
        self._chosen_place = None
        self.field.setText(text)
        self._on_typed(text)
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def put_at(self, corner: QPoint, width: int) -> None:
        """Moves the field to a point of the window, or as near to it as all of it can be seen."""
        width = min(max(width, _NARROWEST), _WIDTH)
        self.resize(width, self.heightForWidth(width))
        room = self.window().rect()
        left, top = room.right() - self.width(), room.bottom() - self.height()
        self.move(min(corner.x(), max(left, 0)), min(corner.y(), max(top, 0)))

    def heightForWidth(self, width: int) -> int:
        # The layout counts parts that were just hidden until it runs again.
        rows = self._types.count()
        words = self._preview.heightForWidth(width - 2 * _MARGIN)
        return 3 * _MARGIN + self.field.sizeHint().height() + words + (rows * ROW_HEIGHT + 8 if rows else 0)

    def end(self) -> None:
        """Closes the field, if it is open."""
        if self.isHidden():
            return
        if self.field.hasFocus():
            # Before the field goes, or Qt would give the focus to whatever comes next. This comes here again.
            self._home.setFocus(Qt.FocusReason.OtherFocusReason)
        self.hide()
        self.closed.emit()

    def _on_theme_changed(self, _: object) -> None:
        self._types.setItemDelegate(TypeDelegate(self._types))

    # What the keys in the field do

    def add(self) -> None:
        """Adds what is typed; where nothing is, closes the field."""
        if not self.field.text().strip():
            self.end()
            return
        if self._beginning is not None and self._types.currentRow() > 0:
            self.complete()
        if self._project.attempt(self._insert):
            self.field.clear()
            self._on_typed("")

    def _insert(self) -> None:
        nodes = read_phrase(self.field.text(), self._project.network.fresh_ids())
        if nodes:
            commands.insert(self._project, nodes, self.place)
            self._chosen_place = None
            said = _spoken(nodes, self._project.analysis)
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.field, f"Added {said}"))

    def complete(self) -> None:
        """Writes out the type that is marked in the list."""
        item = self._types.currentItem()
        if self._beginning is not None and item is not None:
            before = self.field.text()[: self._beginning.start]
            self.field.setText(f"{before}{item.data(TYPE_ROLE)} ")

    def mark(self, steps: int) -> None:
        """Marks the next type of the list, or the one before."""
        if self._types.count():
            self._types.setCurrentRow((self._types.currentRow() + steps) % self._types.count())

    def leave_group(self) -> None:
        """What is typed next comes after the group, instead of into it."""
        parent = self.place.parent
        if parent is not None:
            around = self._project.network.place(parent)
            self._chosen_place = Place(around.parent, around.index + 1)
            self._on_typed(self.field.text())

    # What the field says about what is typed

    def _on_typed(self, text: str) -> None:
        self._beginning = beginning(text)
        self._show_types(self._beginning.kinds[:_MOST_SUGGESTIONS] if self._beginning else ())
        sentence, is_wrong = (_HINT, False) if not text.strip() else self._outcome(text)
        self._preview.set_tone("wrong" if is_wrong else "secondary")
        self._preview.setText(sentence)
        self.field.setAccessibleDescription(spoken(sentence))
        self.moved.emit()

    def _show_types(self, kinds: tuple[type[Layer], ...]) -> None:
        self._types.clear()
        for kind in kinds:
            item = QListWidgetItem(kind.type_name(), self._types)
            item.setData(TYPE_ROLE, kind.type_name())
        self._types.setVisible(bool(kinds))
        self._types.setFixedHeight(len(kinds) * ROW_HEIGHT + 2)
        self._types.setCurrentRow(0)

    def _outcome(self, text: str) -> tuple[str, bool]:
        """What the text would add, or why it adds nothing; and whether something is wrong."""
        try:
            nodes = read_phrase(text, self._project.network.fresh_ids())
            network = edits.insert(self._project.network, self.place, nodes)
        except UserError as error:
            sentence = str(error)
            # While a name is being typed it is no mistake that it is not complete.
            return f"{sentence[:1].upper()}{sentence[1:]}.", self._beginning is None
        return _outcome(nodes, network, self._project)


class _Field(QLineEdit):
    """The line itself; keys that are not for its text are for the card around it."""

    def __init__(self, card: QuickInsert) -> None:
        super().__init__()
        self._card = card
        self.setObjectName("quickInsert")
        self.setAccessibleName("New layer")
        self.setPlaceholderText("Type a layer")
        self.setMaxLength(_LONGEST)
        self.setFont(theme().font("content"))

    def event(self, event: QEvent) -> bool:
        # Tab would go to the next field before keyPressEvent hears of it.
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in _TABS:
            self._card.complete()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys, card = Qt.Key, self._card
        with_control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        with_alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if event.key() in (keys.Key_Return, keys.Key_Enter):
            card.add()
        elif event.key() == keys.Key_Escape:
            card.end()
        elif event.key() in (keys.Key_Up, keys.Key_Down):
            card.mark(1 if event.key() == keys.Key_Down else -1)
        elif (event.key() == keys.Key_BracketLeft and with_control) or (
            event.key() == keys.Key_Left and with_alt
        ):
            card.leave_group()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        # Another window in front is no end; what was typed is still there when this one comes back.
        if event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason):
            self._card.end()


def _outcome(nodes: list[Node], network: Network, project: Project) -> tuple[str, bool]:
    """What comes out of the new layers where they would stand."""
    analysis = analyze(network, project.analysis, classes=project.classes)
    ids = [node.id for new in nodes for node in new.walk()]
    problem = next((report.problem for report in map(analysis.__getitem__, ids) if _is_refused(report)), None)
    words = f"{nodes[0].title} · {nodes[0].layer.summary()}" if len(ids) == 1 else plural(len(ids), "layer")
    if problem is not None:
        return f"{words.removesuffix(' · ')}: {problem.message}", True
    parameters = sum(analysis[node.id].parameters for node in nodes)
    output = analysis[nodes[-1].id].output
    return f"{words.removesuffix(' · ')} → {output} · {plural(parameters, 'parameter')}", False


def _is_refused(report: LayerReport) -> bool:
    """Whether a layer cannot take its input. That the network does not end with scores yet is no news."""
    if report.problem is None or report.input is None or report.node.is_group:
        return report.problem is not None
    try:
        report.node.layer.output_shape(report.input)
    except ShapeError:
        return True
    return False


def _spoken(nodes: list[Node], analysis: Analysis) -> str:
    report: LayerReport = analysis[nodes[-1].id]
    output = f", output {spoken(str(report.output))}" if report.output else ""
    return f"{commands.described(nodes)}{output}"
