"""Paints the rows of the layer list."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from cnnstudio.core.formatting import format_count
from cnnstudio.design.findings import Problem
from cnnstudio.gui.designer.quick_fix.targets import RowButton
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import breakable

ROW_HEIGHT = 32
INDENT = 20
"""Pixels of indentation per enclosing group; a row's stripe and arrow are painted in them."""
STRIPE_LEFT = 8
TITLE_LEFT = 54

_ICON_LEFT = 27
_ICON_SIZE = 17
_LOCK_SIZE = 14
_LINE_HEIGHT = 17
_MAX_MESSAGE_LINES = 3
_FIX_HEIGHT = 26
_MORE_WIDTH, _MORE_GAP = 26, 3
_ADVICE_SIZE = 22
_WIDE = 720


@dataclass(frozen=True)
class Columns:
    """Right edges of the columns for some width of the list; a narrow list omits the last ones."""

    text: int
    output: int
    amount: int | None
    share: tuple[int, int] | None
    """The left and right edge of the bar."""

    @classmethod
    def of(cls, width: int) -> Columns:
        right = width - 16
        # In a wide list the bars get longer: names and numbers stay together.
        bar = 72 + max(width - _WIDE, 0) if width >= 620 else 48
        share = (right - bar, right) if width >= 480 else None
        amount = (right - bar - 22 if share else right) if width >= 380 else None
        output = right if amount is None else amount - 98
        return cls(output - 104, output, amount, share)


@dataclass(frozen=True)
class Row:
    """What one row shows."""

    title: str
    icon: str
    token: str
    """The color of the layer's family."""
    summary: str = ""
    output: str = ""
    amount: str = ""
    """The number of parameters or multiply-adds; `–` if it is unknown, nothing if the row says why."""
    share: float | None = None
    """The amount as a fraction of the network's total, 0 to 1; None if one of the two is unknown."""
    problem: Problem | None = None
    depth: int = 0
    is_expanded: bool | None = None
    """Whether a group is expanded; None for a layer or an empty group."""
    is_disabled: bool = False
    """Whether the layer itself is disabled; `is_dimmed` also if a group around it is."""
    is_dimmed: bool = False
    branch: int | None = None
    """The number of the layer among the branches of its group; None if its group has no branches."""
    has_advice: bool = False
    is_locked: bool = False
    """Whether the layer does not learn, by its own lock or by that of a group around it."""


class RowPainter:
    """Paints rows in the fonts of the theme. Callers turn antialiasing on."""

    def __init__(self) -> None:
        self._strong = TextMetrics(theme().font("strong"))
        self._small = TextMetrics(theme().font("help"))
        self._digits = TextMetrics(theme().monospace("help"))
        self._head = TextMetrics(theme().font("head"))

    def height(self, problem: Problem | None, depth: int, width: int) -> int:
        """The height of a row with this problem, in a list of this width."""
        if problem is None:
            return ROW_HEIGHT
        return ROW_HEIGHT + 15 + _LINE_HEIGHT * len(self._message_lines(problem, depth, width))

    def button_rect(self, button: RowButton, rect: QRect, problem: Problem | None, has_advice: bool) -> QRect:
        """Where a button is in a row with `rect`; empty if the row has no such button."""
        if button == "advice":
            left = rect.left() + Columns.of(rect.width()).text - _ADVICE_SIZE
            top = rect.top() + (ROW_HEIGHT - _ADVICE_SIZE) // 2
            square = QRect(left, top, _ADVICE_SIZE, _ADVICE_SIZE)
            return square if has_advice and problem is None else QRect()
        if problem is None or problem.fix is None:
            return QRect()
        right, top = rect.right() - 8 - 9, rect.bottom() - 3 - 7 - _FIX_HEIGHT
        has_more = len(problem.fixes) > 1
        if button == "more":
            return QRect(right - _MORE_WIDTH, top, _MORE_WIDTH, _FIX_HEIGHT) if has_more else QRect()
        right -= _MORE_WIDTH + _MORE_GAP if has_more else 0
        width = self._strong.width(problem.fix.label) + 30
        return QRect(right - width, top, width, _FIX_HEIGHT)

    def title_rect(self, rect: QRect, depth: int) -> QRect:
        """Where the name is in a row, for the field that edits it."""
        left = rect.left() + depth * INDENT + TITLE_LEFT - 7
        right = rect.left() + Columns.of(rect.width()).text
        return QRect(left, rect.top() + 3, max(right - left, 90), ROW_HEIGHT - 6)

    def paint(
        self,
        painter: QPainter,
        rect: QRect,
        row: Row,
        *,
        selected: bool,
        focused: bool,
        hovered: RowButton | None,
        ratio: float,
    ) -> None:
        """Paints a whole row. `hovered` is the button under the mouse, `ratio` the device pixel ratio."""
        if selected:
            painter.fillRect(rect, theme().color("selection"))
        self._paint_guides(painter, rect, row.depth)
        if row.branch is not None:
            self._paint_branch(painter, rect, row.depth, row.branch)
        if row.problem is None:
            self._paint_stripe(painter, rect, row)
        else:
            self._paint_card(painter, rect, row, row.problem, selected, hovered)
        if row.is_expanded is not None:
            self._paint_arrow(painter, rect, row)
        self._paint_title(painter, rect, row, ratio)
        if row.has_advice and row.problem is None:
            self._paint_advice(painter, rect, hovered == "advice", ratio)
        self._paint_columns(painter, rect, row)
        if focused:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawRoundedRect(QRectF(rect).adjusted(2, 2, -2, -2), 5, 5)

    def _paint_guides(self, painter: QPainter, rect: QRect, depth: int) -> None:
        """Paints a vertical line below the stripe of each enclosing group."""
        for level in range(depth):
            left = rect.left() + level * INDENT + STRIPE_LEFT + 1
            painter.fillRect(left, rect.top(), 1, rect.height(), theme().color("group"))

    def _paint_branch(self, painter: QPainter, rect: QRect, depth: int, branch: int) -> None:
        """Paints the number of the branch on its group's line, and a thin line between two branches."""
        middle = rect.left() + (depth - 1) * INDENT + STRIPE_LEFT + 1.5
        if branch > 1:
            left = round(middle) + 10
            painter.fillRect(left, rect.top(), rect.right() - 8 - left, 1, theme().color("border"))
        text = format_count(branch)
        width = max(self._head.width(text) + 9, 16)
        badge = QRectF(middle - width / 2, rect.top() + ROW_HEIGHT / 2 - 8, width, 16)
        painter.setPen(QPen(theme().color("group"), 1))
        painter.setBrush(theme().color("panel"))
        painter.drawRoundedRect(badge, 8, 8)
        painter.setFont(self._head.font)
        left = round(badge.center().x() - self._head.width(text) / 2)
        painter.drawText(left, self._head.baseline(badge.center().y()), text)

    def _paint_stripe(self, painter: QPainter, rect: QRect, row: Row) -> None:
        left = rect.left() + row.depth * INDENT + STRIPE_LEFT
        bottom = 0 if row.is_expanded else 8
        color = theme().color("border" if row.is_dimmed else row.token)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawRoundedRect(QRectF(left, rect.top() + 8, 3, rect.height() - 8 - bottom), 1.5, 1.5)

    def _paint_arrow(self, painter: QPainter, rect: QRect, row: Row) -> None:
        middle = QPointF(rect.left() + row.depth * INDENT + 19, rect.top() + ROW_HEIGHT / 2)
        pen = QPen(theme().color("secondary"), 1.6)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        self._paint_chevron(painter, middle, opened=bool(row.is_expanded))

    def _paint_chevron(self, painter: QPainter, middle: QPointF, *, opened: bool) -> None:
        if opened:
            corners = (QPointF(-3.5, -1.7), QPointF(0, 1.8), QPointF(3.5, -1.7))
        else:
            corners = (QPointF(-1.7, -3.5), QPointF(1.8, 0), QPointF(-1.7, 3.5))
        painter.drawPolyline([middle + corner for corner in corners])

    def _paint_card(
        self,
        painter: QPainter,
        rect: QRect,
        row: Row,
        problem: Problem,
        selected: bool,
        hovered: RowButton | None,
    ) -> None:
        """Paints the red background of a faulty row, its message, and the buttons that fix it."""
        wrong, depth = theme().color("wrong"), row.depth
        card = QRectF(rect).adjusted(6.5 + depth * INDENT, 2.5, -6.5, -2.5)
        painter.setPen(QPen(wrong, 2 if selected else 1))
        painter.setBrush(theme().color("wrong_ground"))
        painter.drawRoundedRect(card, 6, 6)
        painter.setFont(self._small.font)
        left = rect.left() + depth * INDENT + TITLE_LEFT
        middle = rect.top() + ROW_HEIGHT + _LINE_HEIGHT / 2 - 2
        for line in self._message_lines(problem, depth, rect.width()):
            painter.drawText(left, self._small.baseline(middle), line)
            middle += _LINE_HEIGHT
        if problem.fix is not None:
            button = self.button_rect("fix", rect, problem, False)
            self._paint_button(painter, button, hovered == "fix")
            painter.setFont(self._strong.font)
            baseline = self._strong.baseline(button.center().y() + 0.5)
            painter.drawText(button.left() + 15, baseline, problem.fix.label)
        if len(problem.fixes) > 1:
            button = self.button_rect("more", rect, problem, False)
            self._paint_button(painter, button, hovered == "more")
            self._paint_chevron(painter, QRectF(button).center(), opened=True)

    def _paint_button(self, painter: QPainter, button: QRect, hovered: bool) -> None:
        """Paints the background of a button in a faulty row; sets the pen for what is painted on it."""
        wrong, background = theme().color("wrong"), theme().color("panel")
        painter.setPen(QPen(wrong, 1))
        painter.setBrush(wrong if hovered else background)
        painter.drawRoundedRect(QRectF(button).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setPen(QPen(background if hovered else wrong, 1.6))

    def _paint_advice(self, painter: QPainter, rect: QRect, hovered: bool, ratio: float) -> None:
        """Paints a small light bulb, as inconspicuous as the text beside it."""
        square = self.button_rect("advice", rect, None, True)
        if hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("border"))
            painter.drawRoundedRect(QRectF(square), 6, 6)
        pixmap = theme().pixmap("advice", "text" if hovered else "secondary", _ICON_SIZE, ratio)
        margin = (_ADVICE_SIZE - _ICON_SIZE) // 2
        painter.drawPixmap(square.left() + margin, square.top() + margin, pixmap)

    def _paint_title(self, painter: QPainter, rect: QRect, row: Row, ratio: float) -> None:
        left, middle = rect.left() + row.depth * INDENT, rect.top() + ROW_HEIGHT / 2
        token = "wrong" if row.problem else "secondary" if row.is_dimmed else row.token
        pixmap = theme().pixmap(row.icon, token, _ICON_SIZE, ratio)
        painter.drawPixmap(left + _ICON_LEFT, round(middle - _ICON_SIZE / 2), pixmap)
        right = rect.left() + Columns.of(rect.width()).text
        if row.problem is not None and not row.amount:
            right = rect.right() - 14
        elif row.has_advice:
            right -= _ADVICE_SIZE + 4
        x = left + TITLE_LEFT
        locked = _LOCK_SIZE + 4 if row.is_locked else 0
        title = self._strong.elided(row.title, right - x - locked)
        painter.setFont(self._strong.font)
        painter.setPen(theme().color("secondary" if row.is_dimmed else "text"))
        painter.drawText(x, self._strong.baseline(middle), title)
        x += self._strong.width(title) + 8
        if row.is_locked:
            lock = theme().pixmap("lock", "secondary", _LOCK_SIZE, ratio)
            painter.drawPixmap(x - 2, round(middle - _LOCK_SIZE / 2), lock)
            x += _LOCK_SIZE + 4
        if row.is_disabled:
            x = self._paint_disabled_badge(painter, x, middle)
        painter.setFont(self._small.font)
        painter.setPen(theme().color("secondary"))
        if right - x > 20:
            painter.drawText(x, self._small.baseline(middle), self._small.elided(row.summary, right - x))

    def _paint_disabled_badge(self, painter: QPainter, x: int, middle: float) -> int:
        """Paints a small badge beside the name; returns the x where the text continues."""
        width = self._small.width("off") + 12
        painter.setPen(QPen(theme().color("secondary"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(x + 0.5, middle - 8.5, width, 17), 8, 8)
        painter.setFont(self._small.font)
        painter.drawText(x + 6, self._small.baseline(middle), "off")
        return x + width + 9

    def _paint_columns(self, painter: QPainter, rect: QRect, row: Row) -> None:
        columns, left = Columns.of(rect.width()), rect.left()
        baseline = self._digits.baseline(rect.top() + ROW_HEIGHT / 2)
        painter.setFont(self._digits.font)
        painter.setPen(theme().color("secondary" if row.is_dimmed else "text"))
        painter.drawText(left + columns.output - self._digits.width(row.output), baseline, row.output)
        if columns.amount is not None:
            painter.setPen(theme().color("secondary"))
            painter.drawText(left + columns.amount - self._digits.width(row.amount), baseline, row.amount)
        if columns.share is not None and row.share is not None:
            self._paint_bar(painter, left, rect.top() + ROW_HEIGHT / 2, columns.share, row, row.share)

    def _paint_bar(
        self, painter: QPainter, left: int, middle: float, edges: tuple[int, int], row: Row, share: float
    ) -> None:
        whole = edges[1] - edges[0]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("grid"))
        painter.drawRoundedRect(QRectF(left + edges[0], middle - 3, whole, 6), 3, 3)
        if share > 0:
            painter.setBrush(theme().color("secondary" if row.is_dimmed else row.token))
            filled = max(whole * min(share, 1.0), 2.0)
            painter.drawRoundedRect(QRectF(left + edges[0], middle - 3, filled, 6), min(3, filled / 2), 3)

    def _message_lines(self, problem: Problem, depth: int, width: int) -> list[str]:
        button = self.button_rect("fix", QRect(0, 0, width, 0), problem, False)
        right = button.left() - 8 if problem.fix else width - 20
        available = right - depth * INDENT - TITLE_LEFT
        return self._small.wrapped(breakable(f"{problem.message}."), max(available, 60), _MAX_MESSAGE_LINES)
