"""What all pages have in common: built when first shown, with splitters whose places they remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractButton, QComboBox, QScrollArea, QSplitter, QVBoxLayout, QWidget

from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.widgets.labels import Panel

NARROW = 1200
"""The width of the window below which pages fold."""
LEAST = 1000
"""A page that has folded fits into a window of this width."""
MARGIN, GAP = 12, 8
NO_SHARES: Mapping[int, float] = {}
_MAX_SIZE = 20_000
_NO_CONTENT = (QAbstractButton, QComboBox, QScrollArea)
"""What stands in heads and around contents: the focus goes there last."""
_RAIL = 60
"""A panel that is not wider is folded."""


class Page(QWidget):
    """An arrangement of panels. Turning to it changes nothing else."""

    title: ClassVar[str]
    has_timeline: ClassVar[bool] = True

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.setObjectName(f"page{self.title}")
        self.setAccessibleName(f"{self.title} page")
        self._settings = settings
        self._splitters: dict[str, PageSplitter] = {}
        self._is_built = self._is_placed = False
        self._is_narrow: bool | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(MARGIN, 0, MARGIN, 0)

    def minimumSizeHint(self) -> QSize:
        # The panels of a wide window give way when it becomes narrow: their widths must not prevent that.
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), LEAST), hint.height())

    # To be overridden

    def build(self) -> QWidget:
        """Creates the content, once."""
        raise NotImplementedError

    def fold(self, is_narrow: bool) -> None:
        """Gives up room where the window is narrow."""

    @property
    def panels(self) -> Sequence[QWidget]:
        """The panels that F6 goes through, the most important one first."""
        raise NotImplementedError

    # The content

    def ensure_built(self) -> None:
        """Creates the content unless it is there."""
        if not self._is_built:
            self._is_built = True
            self._column.addWidget(self.build())

    def showEvent(self, event: QShowEvent) -> None:
        self.ensure_built()
        super().showEvent(event)
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.isVisible():
            self._place()

    def _place(self) -> None:
        """Folds or unfolds, and restores the splitters when the page has its size for the first time."""
        is_narrow = self.width() < NARROW
        if is_narrow != self._is_narrow or not self._is_placed:
            self._is_narrow, self._is_placed = is_narrow, True
            self.fold(is_narrow)
            self.refit()

    def refit(self) -> None:
        """Gives the panels their widths again: one of them was folded or unfolded."""
        for splitter in self._splitters.values():
            splitter.fit()

    # Splitters

    def splitter(
        self,
        name: str,
        orientation: Qt.Orientation,
        parts: Sequence[QWidget],
        sizes: Sequence[int],
        hero: int,
        most: int = _MAX_SIZE,
        shares: Mapping[int, float] = NO_SHARES,
    ) -> PageSplitter:
        """A splitter with these panels. The one with index `hero` gets the rest, up to `most`.

        What is left goes to the last panel. `shares` are of the room beyond `sizes`, for other panels.
        """
        wanted = self._saved(name, len(parts)) or sizes
        splitter = PageSplitter(orientation, parts, wanted, hero, most, shares)
        splitter.default_sizes = list(sizes)
        splitter.setObjectName(f"{self.title.lower()}{name.capitalize()}")
        self._splitters[name] = splitter
        return splitter

    def _key(self, name: str) -> str:
        return f"pages/{self.title.lower()}_{name}"

    def _saved(self, name: str, count: int) -> list[int] | None:
        """The places that were saved, unless they do not fit."""
        words = self._settings.text(self._key(name)).split()
        sizes = [int(word) for word in words if word.isdecimal() and len(word) < 6]
        is_sound = len(sizes) == len(words) == count and all(size < _MAX_SIZE for size in sizes)
        return sizes if is_sound and any(sizes) else None

    def save(self) -> None:
        """Remembers the places of the splitters, if the page was ever shown."""
        if self._is_placed:
            for name, splitter in self._splitters.items():
                self._settings.set_text(self._key(name), " ".join(map(str, splitter.wanted)))

    def reset(self) -> None:
        """Puts the splitters where they are in a new window."""
        for name, splitter in self._splitters.items():
            self._settings.remove(self._key(name))
            splitter.wanted = list(splitter.default_sizes)
        self.refit()

    def remembered(self, name: str) -> str:
        """A choice of the user on this page, empty if there was none."""
        return self._settings.text(self._key(name))

    def remember(self, name: str, value: str) -> None:
        self._settings.set_text(self._key(name), value)


class PageSplitter(QSplitter):
    """Panels side by side, with a gap that can be dragged. One of them, the hero, takes the rest."""

    def __init__(
        self,
        orientation: Qt.Orientation,
        parts: Sequence[QWidget],
        sizes: Sequence[int],
        hero: int,
        most: int,
        shares: Mapping[int, float],
    ) -> None:
        super().__init__(orientation)
        self.wanted = list(sizes)
        """The sizes that the user wants; a folded panel has less at the moment."""
        self.default_sizes = list(sizes)
        self._hero, self._most, self._excess = hero, most, 0
        self._shares = shares
        self._parts = tuple(parts)
        self.setHandleWidth(GAP)
        self.setChildrenCollapsible(False)
        for number, part in enumerate(parts):
            self.addWidget(part)
            self.setStretchFactor(number, int(number == hero))
        self.splitterMoved.connect(self._on_moved)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def fit(self) -> None:
        """Gives each panel what it should have, and the hero the rest."""
        is_row = self.orientation() is Qt.Orientation.Horizontal
        sizes = list(self.wanted)
        for number, part in enumerate(self._parts):
            if part.isHidden():
                sizes[number] = 0
                continue
            sizes[number] = min(sizes[number], part.maximumWidth() if is_row else part.maximumHeight())
        shown = [number for number, part in enumerate(self._parts) if not part.isHidden()]
        if not shown:
            return
        hero = self._hero if self._hero in shown else shown[-1]
        total = (self.width() if is_row else self.height()) - GAP * (len(shown) - 1)
        room = max(total - sum(sizes), 0)
        for number in set(self._shares).intersection(shown):
            sizes[number] += round(self._shares[number] * room)
        rest = max(total - sum(sizes) + sizes[hero], 1)
        sizes[hero] = min(rest, self._most)
        self._excess = rest - sizes[hero]
        sizes[shown[-1]] += self._excess
        self.setSizes(sizes)

    def _on_moved(self, _: int, handle: int) -> None:
        """Keeps the sizes of the two panels beside the handle that the user moved.

        Of all, where some grow with the window: they would grow at once by the same room again.
        """
        sizes = self.sizes()
        shown = [number for number, part in enumerate(self._parts) if not part.isHidden()]
        sizes[shown[-1]] -= self._excess
        for number in shown if self._shares else (handle - 1, handle):
            if sizes[number] > _RAIL:
                self.wanted[number] = sizes[number]


class Lazy(QWidget):
    """A place whose content is created when it is first shown."""

    def __init__(self, create: Callable[[], QWidget]) -> None:
        super().__init__()
        self._create: Callable[[], QWidget] | None = create
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    def showEvent(self, event: QShowEvent) -> None:
        self.ensure()
        super().showEvent(event)

    def ensure(self) -> None:
        """Creates the content unless it is there."""
        if self._create is not None:
            create, self._create = self._create, None
            content = create()
            self._column.addWidget(content)


def focus_panel(panel: QWidget) -> bool:
    """Gives the focus to a panel's main widget, else to its content, else to a button of its head."""
    target = panel.focus_target if isinstance(panel, Panel) else None
    known = [each for each in (target, panel.focusProxy()) if each is not None]
    inside = [each for each in panel.findChildren(QWidget) if _takes_focus(each)]
    content = [each for each in inside if not isinstance(each, _NO_CONTENT)]
    widget = next(filter(_takes_focus, (*known, *content, *inside)), None)
    if widget is not None:
        widget.setFocus(Qt.FocusReason.ShortcutFocusReason)
    return widget is not None


def _takes_focus(widget: QWidget) -> bool:
    return widget.isVisible() and widget.isEnabled() and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
