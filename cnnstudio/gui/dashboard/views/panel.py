"""A panel that shows one view at a time, and the group of panels of a page that share their views."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QFontMetrics
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.csv_file import csv_bytes
from cnnstudio.gui.dashboard.remembered_choices import RememberedChoices
from cnnstudio.gui.dashboard.round_button import RoundButton
from cnnstudio.gui.dashboard.views.base import View, copy_image
from cnnstudio.gui.dashboard.views.catalog import view_types
from cnnstudio.gui.dashboard.views.parts.help_card import QUESTION, HelpCard
from cnnstudio.gui.dashboard.views.pins import Pins, pins_from_text, pins_to_text
from cnnstudio.gui.dashboard.views.readings import MomentSource
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.images.saving import png_bytes, save_file
from cnnstudio.gui.widgets.labels import Panel, PartsLabel

HEAD_HEIGHT = 40
_BY_TAB = Qt.FocusPolicy.TabFocus


class ViewHead(QWidget):
    """Title, which opens the menu of views, a secondary sentence, help and the menu of the view."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HEAD_HEIGHT)
        self.chooser = QPushButton()
        self.chooser.setObjectName("viewChooser")
        self.chooser.setProperty("role", "view_title")
        self.chooser.setFont(theme().font("title"))
        self.chooser.setToolTip("Choose what this panel shows")
        self.secondary = PartsLabel("", "help", "secondary")
        self.help_button = RoundButton("viewHelpButton", "?", QUESTION)
        self.menu_button = RoundButton("viewMenuButton", "⋯", "Copy, save, pin or reset this view")
        row = QHBoxLayout(self)
        row.setContentsMargins(11, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(self.chooser)
        row.addWidget(self.secondary, 1)
        row.addWidget(self.help_button)
        row.addWidget(self.menu_button)

    def show_view(self, view: View) -> None:
        """Shows the title and the sentence of a view."""
        self.chooser.setText(f"{view.title} ▾")
        self.chooser.setAccessibleName(f"{view.title}. Press to choose another view.")
        width = QFontMetrics(self.chooser.font()).horizontalAdvance(self.chooser.text())
        self.chooser.setFixedWidth(width + 14)
        self.secondary.set_full_text(view.secondary)


class ViewPanel(Panel):
    """Shows one view of its group. Two panels of a group never show the same view: they exchange them."""

    view_changed = Signal(object)
    """The object name of the view that is shown now."""
    message = Signal(object)
    """A widgets.message_bar.Message about a file that was or could not be saved."""

    def __init__(self, group: ViewGroup, shown: str) -> None:
        super().__init__("viewPanel")
        self._group = group
        self._view: View | None = None
        self._help: HelpCard | None = None
        self._go_back: Callable[[], object] | None = None
        """Leads back to the view from which the present one was opened; None if the user chose it."""
        self.head = ViewHead()
        self._place = QVBoxLayout()
        self._place.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(self.head)
        column.addLayout(self._place, 1)
        self.head.chooser.clicked.connect(self._open_chooser)
        self.head.help_button.clicked.connect(self._on_help)
        self.head.menu_button.clicked.connect(self._open_menu)
        self.choose(shown)

    @property
    def view(self) -> View:
        """The view that is shown."""
        assert self._view is not None
        return self._view

    def choose(self, name: str) -> None:
        """Shows the view of that object name; if another panel of the group has it, both exchange views."""
        self._go_back = None
        self._group.choose(self, name)

    def take(self, view: View) -> None:
        """Shows a view that no other panel shows. For the group."""
        if self._view is not None:
            self._view.secondary_changed.disconnect(self._on_secondary_changed)
            self._view.details_wanted.disconnect(self._on_details_wanted)
            self._view.left.disconnect(self._on_left)
            self._view.built.disconnect(self._order_tabs)
            self._place.removeWidget(self._view)
            if self._view.parentWidget() is self:
                self._view.hide()
        self._view = view
        self._place.addWidget(view, 1)
        view.secondary_changed.connect(self._on_secondary_changed)
        view.details_wanted.connect(self._on_details_wanted)
        view.left.connect(self._on_left)
        view.built.connect(self._order_tabs)
        view.show()
        self._order_tabs()
        self.head.show_view(view)
        self.setAccessibleName(view.title)
        self.view_changed.emit(view.name)

    def _order_tabs(self) -> None:
        """Tab goes from the head into the view, then to the next panel; views are as old as they may be."""
        # Not by nextInFocusChain, after which PySide calls slots of widgets that are gone.
        parts = [part for part in self.view.findChildren(QWidget) if part.focusPolicy() & _BY_TAB]
        for before, after in pairwise((self.head.menu_button, *parts)):
            QWidget.setTabOrder(before, after)

    def _on_details_wanted(self, name: object) -> None:
        self._group.show_details(self, str(name))

    def show_details(self, name: str, origin: ViewPanel) -> None:
        """Shows the view of that name for what was chosen in `origin`, to which Escape leads back."""
        came_from = origin.view.name
        if name != self.view.name:
            self.choose(name)

        def go_back() -> None:
            if origin.view.name != came_from:
                origin.choose(came_from)
            origin.view.show_details()

        self._go_back = go_back
        self.view.show_details()

    def _on_left(self) -> None:
        go_back, self._go_back = self._go_back, None
        if go_back is not None:
            go_back()

    def _on_secondary_changed(self) -> None:
        self.head.secondary.set_full_text(self.view.secondary)

    # Menus

    def _open_chooser(self) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        group = QActionGroup(menu)
        for name, kind in view_types().items():
            action = menu.addAction(kind.title)
            action.setObjectName(f"choose_{name}")
            action.setCheckable(True)
            action.setChecked(name == self.view.name)
            action.triggered.connect(partial(self._on_chosen, name))
            group.addAction(action)
        menu.popup(self.head.chooser.mapToGlobal(QPoint(0, self.head.chooser.height())))
        menu.setActiveAction(group.checkedAction())

    def _on_chosen(self, name: str, _: bool = False) -> None:
        self.choose(name)
        self.head.chooser.setFocus()

    def view_actions(self, parent: QObject) -> list[QAction]:
        """What the menu of the view offers."""
        view = self.view
        has_content = not view.message
        entries: tuple[tuple[str, str, Callable[[], object], bool], ...] = (
            ("copyImage", "Copy image", lambda: copy_image(view), has_content),
            ("savePng", "Save as PNG…", self._save_png, has_content),
            ("saveCsv", "Save as CSV…", self._save_csv, has_content and bool(view.table())),
            (*self._pin_entry(), has_content or view.pinned_epoch is not None),
            ("resetZoom", "Reset zoom", view.reset_zoom, view.is_zoomed),
        )
        wanted = view.images_to_review()
        if wanted is not None:
            count = len(wanted.images)
            title = f"Review these {count:,} images…" if count > 1 else "Review this image…"
            entries = (
                ("reviewImages", title, lambda: self._group.review_wanted.emit(wanted), True),
                *entries,
            )
        actions = []
        for name, title, slot, enabled in entries:
            action = QAction(title, parent)
            action.setObjectName(name)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _checked=False, slot=slot: slot())
            actions.append(action)
        return actions

    def _pin_entry(self) -> tuple[str, str, Callable[[], object]]:
        """A pinned view stays at its epoch wherever the timeline goes, beside another one that follows it."""
        view = self.view
        if view.pinned_epoch is not None:
            return "pinView", f"Unpin from epoch {view.pinned_epoch}", lambda: view.pin(None)
        epoch = view.source.readings().epoch
        return "pinView", f"Pin at epoch {epoch}", lambda: view.pin(epoch)

    def _open_menu(self) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.addActions(self.view_actions(menu))
        button = self.head.menu_button
        menu.popup(button.mapToGlobal(QPoint(button.width() - menu.sizeHint().width(), button.height())))

    def _on_help(self) -> None:
        if self._help is None:
            self._help = HelpCard(self.window())
        self._help.explain(self.view.title, self.view.help, self.head.help_button)

    # Files

    def _save_png(self) -> None:
        # Taken before the dialog opens: the training moves on meanwhile.
        self._save("PNG image (*.png)", ".png", png_bytes(self.view.to_pixmap()))

    def _save_csv(self) -> None:
        self._save("CSV table (*.csv)", ".csv", csv_bytes(self.view.table()))

    def _save(self, kinds: str, suffix: str, data: bytes) -> None:
        message = save_file(self, self.view.title, kinds, suffix, data)
        if message is not None:
            self.message.emit(message)


class ViewGroup(QObject):
    """The panels of one page. Each view exists once for all of them."""

    message = Signal(object)
    """A Message of one of the panels."""
    review_wanted = Signal(object)
    """The ImagesToReview of one of the views."""
    pins_changed = Signal()
    """One of the views stays at another epoch now, or follows the timeline again."""

    def __init__(self, source: MomentSource, page: str, keeper: QWidget) -> None:
        """Creates the views at home on `page`; `keeper` is the parent of those that no panel shows."""
        super().__init__(keeper)
        self._source = source
        self._page = page
        self._keeper = keeper
        self.panels: list[ViewPanel] = []
        self._views: dict[str, View] = {}
        self._pins: Pins = {}
        self._choices: RememberedChoices | None = None
        for name, kind in view_types().items():
            if kind.home == page:
                self.view(name)

    def view(self, name: str) -> View:
        """The group's view of that object name."""
        if name not in self._views:
            kind = view_types()[name]
            view = kind(self._source, name if kind.home == self._page else f"{self._page}_{name}")
            view.setParent(self._keeper)
            view.hide()
            self._views[name] = view
            self._restore_pin(name)
            view.pin_changed.connect(self.pins_changed)
            self._restore_choices(view)
        return self._views[name]

    @property
    def pins(self) -> str:
        """Which views stay at which epoch, as a text to remember."""
        return pins_to_text(
            {name: (view.pinned_run, view.pinned_epoch) for name, view in self._views.items()}
        )

    def restore_pins(self, text: str) -> None:
        """Pins the views as they were, as far as the run on show is the same then."""
        self._pins = pins_from_text(text)
        for name in self._views:
            self._restore_pin(name)

    def _restore_pin(self, name: str) -> None:
        if name in self._pins:
            self._views[name].restore_pin(*self._pins.pop(name))

    def remember_choices(self, choices: RememberedChoices) -> None:
        """Draws the views as the user wanted it before: each as soon as it has a content."""
        self._choices = choices
        for view in self._views.values():
            self._restore_choices(view)

    def _restore_choices(self, view: View) -> None:
        if self._choices is None:
            return
        if view.is_built:
            self._choices.restore(view)
        else:
            view.built.connect(partial(self._choices.restore, view))

    def panel(self, shown: str) -> ViewPanel:
        """A new panel of the group."""
        panel = ViewPanel(self, shown)
        panel.message.connect(self.message)
        self.panels.append(panel)
        return panel

    def close_run(self) -> None:
        """Ends what the views do in the background."""
        for view in self._views.values():
            view.close_run()

    def show_details(self, panel: ViewPanel, name: str) -> None:
        """Shows a view for what is chosen in `panel`: where it is shown already, else in that panel."""
        seen = (each for each in self.panels if each.isVisible() and each.view.name == name)
        next(seen, panel).show_details(name, panel)

    def choose(self, panel: ViewPanel, name: str) -> None:
        """Shows a view in a panel."""
        view = self.view(name)
        if panel._view is view:
            return
        other = next((each for each in self.panels if each._view is view), None)
        previous = panel._view
        panel.take(view)
        if other is not None and previous is not None:
            other.take(previous)
        elif previous is not None:
            previous.setParent(self._keeper)
