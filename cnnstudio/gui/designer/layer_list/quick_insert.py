"""Quick insert: fields in which new layers are typed, such as `conv 64 3 relu same`.

One stands always at the foot of the list, the other opens in the list where the layers go.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize, screen_reader_text
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import Analysis, LayerReport, analyze
from cnnstudio.design.network import Network, Node, Place
from cnnstudio.design.text.shorthand import Completion, find_completion, parse_shorthand
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.palette.type_list import ROW_HEIGHT, TYPE_ROLE, renew_delegate
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.layers.base import Layer, ShapeError

_MAX_LENGTH = 2_000
_MAX_SUGGESTIONS = 6
_MAX_WIDTH = 560
_MIN_WIDTH = 260
_MARGIN = 6
_BORDER = 1
_GAP = 4
_TABS = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
_HINT = "conv 64 3 relu same, pool, residual(…) · Enter: add · Ctrl+[: leave the group · Esc: close"


class QuickInsert(QFrame):
    """The field, a preview of what it would add, and suggestions that complete the name being typed.

    Enter adds the layers after the selection and keeps the field open for the next ones. On closing, the
    focus returns to `focus_owner`. With `is_inline` the field stands elsewhere for good, and the card opens
    above or below it while it has the focus.
    """

    closed = Signal()
    geometry_changed = Signal()
    """The layers would now be inserted at another place, or the card has another height."""

    def __init__(self, project: Project, focus_owner: QWidget, *, is_inline: bool = False) -> None:
        # A parent from the start: a card that is never opened would outlive its window.
        super().__init__(focus_owner)
        self.is_inline = is_inline
        self.is_open = False
        self._project = project
        self._focus_owner = focus_owner
        self._completion: Completion | None = None
        self._chosen_place: Place | None = None
        self.setObjectName("quickInsertCard")
        self.setProperty("role", "popup")
        self.field = _Field(self)
        self.field.setObjectName("insertField" if is_inline else "quickInsert")
        self._suggestions = QListWidget()
        self._preview = Label(_HINT, "help", "secondary", wrap=True)
        self._compose()
        self.field.textChanged.connect(self._on_typed)
        self._suggestions.itemClicked.connect(lambda _: self.complete())
        self.hide()

    def _compose(self) -> None:
        self._preview.setObjectName(f"{self.field.objectName()}Preview")
        self._preview.setContentsMargins(10, 0, 10, 0)
        self._suggestions.setObjectName(f"{self.field.objectName()}Types")
        renew_delegate(self._suggestions)
        self._suggestions.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._suggestions.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._suggestions.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(_MARGIN,) * 4)
        column.setSpacing(_MARGIN)
        if not self.is_inline:
            column.addWidget(self.field)
        column.addWidget(self._preview)
        column.addWidget(self._suggestions)
        theme().changed.connect(self._on_theme_changed)

    @property
    def place(self) -> Place:
        """Where the layers will go: after the selection, unless the user has left the group there."""
        chosen = self._chosen_place
        if chosen is None or (chosen.parent is not None and chosen.parent not in self._project.network):
            return commands.place_after_selection(self._project)
        return chosen

    def open(self, window: QWidget, text: str = "") -> None:
        """Shows the field on top of everything in `window` and gives it the focus."""
        self.field.setText(text)
        self._show_in(window)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def open_at_field(self) -> None:
        """Shows the card at the inline field, which has got the focus."""
        self._show_in(self.field.window())

    def _show_in(self, window: QWidget) -> None:
        self.setParent(window)
        self._chosen_place = None
        self.is_open = True
        self._preview.ensurePolished()
        # Before it is shown: it must not appear anywhere else first.
        self._on_typed(self.field.text())
        self.show()
        self.raise_()

    def move_to_field(self) -> None:
        """Moves the card of an inline field above it, or below it if there is more space."""
        place = self.field.mapTo(self.window(), QPoint(0, 0))
        width = max(self.field.width(), _MAX_WIDTH)
        height = self.heightForWidth(min(width, self.window().width()))
        is_above = place.y() > self.window().height() // 2
        self.move_to(place + QPoint(0, -height - _GAP if is_above else self.field.height() + _GAP), width)

    def move_to(self, corner: QPoint, width: int) -> None:
        """Moves the card to a point of the window, or as close to it as the card fits."""
        width = min(max(width, _MIN_WIDTH), _MAX_WIDTH)
        self.resize(width, self.heightForWidth(width))
        bounds = self.window().rect()
        left, top = bounds.right() - self.width(), bounds.bottom() - self.height()
        self.move(min(corner.x(), max(left, 0)), max(min(corner.y(), top), 0))

    def heightForWidth(self, width: int) -> int:
        # Computed here, as the layout counts widgets that were just hidden until it runs again.
        rows = self._suggestions.count()
        preview = self._preview.heightForWidth(width - 2 * (_MARGIN + _BORDER))
        field = 0 if self.is_inline else self.field.sizeHint().height() + _MARGIN
        return 2 * (_MARGIN + _BORDER) + field + preview + (rows * ROW_HEIGHT + _MARGIN + 2 if rows else 0)

    def dismiss(self) -> None:
        """Closes the card if it is open."""
        if not self.is_open:
            return
        self.is_open = False
        if self.field.hasFocus():
            # Before hiding, or Qt would focus the next widget. Losing the focus calls this method again.
            self._focus_owner.setFocus(Qt.FocusReason.OtherFocusReason)
        self.hide()
        self.closed.emit()

    def _on_theme_changed(self, _: object) -> None:
        renew_delegate(self._suggestions)

    # Actions of the keys in the field

    def add(self) -> None:
        """Adds the typed layers, or closes the field if it is empty."""
        if not self.field.text().strip():
            self.dismiss()
            return
        if self._completion is not None and self._suggestions.currentRow() > 0:
            self.complete()
        if self._project.run_command(self._insert):
            self.field.clear()
            self._on_typed("")

    def _insert(self) -> None:
        nodes = parse_shorthand(self.field.text(), self._project.network.fresh_ids())
        if nodes:
            commands.insert(self._project, nodes, self.place)
            self._chosen_place = None
            added = _announcement(nodes, self._project.analysis)
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.field, f"Added {added}"))

    def complete(self) -> bool:
        """Completes the name being typed with the selected suggestion; returns whether there was one."""
        item = self._suggestions.currentItem()
        # The stubs of PySide6 claim that currentItem never returns None.
        if self._completion is None or item is None or not self.field.text():  # type: ignore[redundant-expr]
            return False
        before = self.field.text()[: self._completion.start]
        self.field.setText(f"{before}{item.data(TYPE_ROLE)} ")
        return True

    def select_suggestion(self, steps: int) -> None:
        """Selects the suggestion a number of steps below the current one, or above for a negative number."""
        if self._suggestions.count():
            self._suggestions.setCurrentRow(
                (self._suggestions.currentRow() + steps) % self._suggestions.count()
            )

    def leave_group(self) -> None:
        """Makes the next layers go after the group instead of into it."""
        parent = self.place.parent
        if parent is not None:
            around = self._project.network.place(parent)
            self._chosen_place = Place(around.parent, around.index + 1)
            self._on_typed(self.field.text())

    # Preview of the typed text

    def _on_typed(self, text: str) -> None:
        self._completion = find_completion(text)
        self._show_suggestions(self._completion.kinds[:_MAX_SUGGESTIONS] if self._completion else ())
        preview, is_wrong = (_HINT, False) if not text.strip() else self._preview_of(text)
        self._preview.set_tone("wrong" if is_wrong else "secondary")
        self._preview.setText(preview)
        self.field.setAccessibleDescription(screen_reader_text(preview))
        self.geometry_changed.emit()

    def _show_suggestions(self, kinds: tuple[type[Layer], ...]) -> None:
        self._suggestions.clear()
        for kind in kinds:
            item = QListWidgetItem(kind.type_name(), self._suggestions)
            item.setData(TYPE_ROLE, kind.type_name())
        self._suggestions.setVisible(bool(kinds))
        self._suggestions.setFixedHeight(len(kinds) * ROW_HEIGHT + 2)
        self._suggestions.setCurrentRow(0)

    def _preview_of(self, text: str) -> tuple[str, bool]:
        """What the text would add, or why it cannot be added; and whether that is an error."""
        try:
            nodes = parse_shorthand(text, self._project.network.fresh_ids())
            network = edits.insert(self._project.network, self.place, nodes)
        except UserError as error:
            message = str(error)
            # An incomplete name is not an error while it is still being typed.
            return f"{message[:1].upper()}{message[1:]}.", self._completion is None
        return _preview_text(nodes, network, self._project)


_LONG_HINT, _SHORT_HINT = "Type a layer: conv 64 3 relu", "Type a layer"


class _Field(QLineEdit):
    """The text field itself; passes keys that are not for its text on to the card."""

    def __init__(self, card: QuickInsert) -> None:
        super().__init__()
        self._card = card
        self.setAccessibleName("New layer")
        self.setPlaceholderText(_LONG_HINT if card.is_inline else _SHORT_HINT)
        self.setMaxLength(_MAX_LENGTH)
        self._key = Label("Ins", "axis", "secondary")
        self._key.setParent(self)
        self._key.setVisible(card.is_inline)
        self.textChanged.connect(lambda text: self._key.setVisible(card.is_inline and not text))
        self.setFont(theme().font("content"))

    def event(self, event: QEvent) -> bool:
        # Qt handles Tab as a focus change before keyPressEvent is called.
        is_tab = (
            isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in _TABS
        )
        # If there is nothing to complete, Tab leaves a field that stands there for good.
        if is_tab and (self._card.complete() or not self._card.is_inline):
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys, card = Qt.Key, self._card
        with_control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        with_alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if is_enter(event):
            card.add()
        elif event.key() == keys.Key_Escape:
            card.dismiss()
            self.clear()
        elif event.key() in (keys.Key_Up, keys.Key_Down):
            card.select_suggestion(1 if event.key() == keys.Key_Down else -1)
        elif (event.key() == keys.Key_BracketLeft and with_control) or (
            event.key() == keys.Key_Left and with_alt
        ):
            card.leave_group()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        size = self._key.sizeHint()
        if self._card.is_inline:
            self.setPlaceholderText(self._hint_for(self.width() - size.width() - 32))
        self._key.move(self.width() - size.width() - 10, (self.height() - size.height()) // 2)

    def _hint_for(self, width: int) -> str:
        """The hint that fits beside the key."""
        return _LONG_HINT if self.fontMetrics().horizontalAdvance(_LONG_HINT) <= width else _SHORT_HINT

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self._card.is_inline and not self._card.is_open:
            self._card.open_at_field()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        # Switching to another window keeps the field open with its text.
        if event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason):
            self._card.dismiss()


def _preview_text(nodes: list[Node], network: Network, project: Project) -> tuple[str, bool]:
    """The output and parameters of new layers at their place in `network`; and whether there is an error."""
    analysis = analyze(network, project.analysis, classes=project.classes)
    ids = [node.id for new in nodes for node in new.walk()]
    problem = next(
        (report.problem for report in map(analysis.__getitem__, ids) if _rejects_input(report)), None
    )
    label = (
        f"{nodes[0].title} · {nodes[0].layer.summary()}" if len(ids) == 1 else pluralize(len(ids), "layer")
    )
    if problem is not None:
        return f"{label.removesuffix(' · ')}: {problem.message}", True
    label = label.removesuffix(" · ")
    reports = [analysis[node.id] for node in nodes]
    if not all(report.has_known_costs for report in reports):
        return f"{label} → unknown until the error before it is fixed", False
    parameters = sum(report.parameters for report in reports)
    return f"{label} → {reports[-1].output} · {pluralize(parameters, 'parameter')}", False


def _rejects_input(report: LayerReport) -> bool:
    """Whether a layer cannot take its input.

    Unlike `report.problem`, this ignores that the network does not end with class scores yet: it rarely does
    while layers are still being added.
    """
    if report.problem is None or report.input is None or report.node.is_group:
        return report.problem is not None
    try:
        report.node.layer.output_shape(report.input)
    except ShapeError:
        return True
    return False


def _announcement(nodes: list[Node], analysis: Analysis) -> str:
    report: LayerReport = analysis[nodes[-1].id]
    output = f", output {screen_reader_text(str(report.output))}" if report.output else ""
    return f"{commands.describe_nodes(nodes)}{output}"
