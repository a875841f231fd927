"""Colors, fonts and icons of the window, in light and dark.

Every color is looked up by the name of its token, such as `theme().color("training")`, so that the same thing
has the same color everywhere and in both schemes. Widgets that cache anything colored connect to
`theme().changed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

import shiboken6
from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QIcon,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication

from cnnstudio.core.colors import TOKENS, Scheme
from cnnstudio.core.resources import resource, resources_folder
from cnnstudio.layers.base import Family

Role = Literal["head", "axis", "axis_strong", "help", "content", "strong", "title", "answer"]

PIXELS: Mapping[Role, int] = {
    "head": 11,
    "axis": 11,
    "axis_strong": 11,
    "help": 12,
    "content": 13,
    "strong": 13,
    "title": 14,
    "answer": 20,
}
"""Font sizes of column heads, axes, help and secondary text, content, names in content, panel titles, and of
the answer that a network gives."""

_ICON_SIZE = 17


class Theme(QObject):
    """The theme of the application; there is one instance, `theme()`."""

    changed = Signal(object)
    """Emitted with the scheme, "light" or "dark", after the colors have changed."""

    def __init__(self) -> None:
        super().__init__()
        self._chosen: Literal["light", "dark", "system"] = "system"
        self._scheme: Scheme = "light"
        self._application: QApplication | None = None
        self._applied: tuple[Scheme, QApplication | None] | None = None
        self._colors: dict[str, QColor] = {}
        self._pixmaps: dict[tuple[str, str, int, float], QPixmap] = {}

    @property
    def scheme(self) -> Scheme:
        return self._scheme

    def color(self, token: str) -> QColor:
        """The color of a token of TOKENS in the current scheme."""
        color = self._colors.get(token)
        if color is None:
            color = self._colors[token] = QColor(TOKENS[token][self._scheme == "dark"])
        return color

    def apply(self, application: QApplication) -> None:
        """Applies the theme to the application, and follows the system's color scheme from now on."""
        if application is not self._application:
            self._application = application
            application.setStyle("Fusion")
            application.styleHints().colorSchemeChanged.connect(self._on_system_scheme_changed)
            content = QFont(application.font())
            content.setPixelSize(PIXELS["content"])
            application.setFont(content)
        self._apply_scheme(self._resolved())

    def set_scheme(self, scheme: Literal["light", "dark", "system"]) -> None:
        """Chooses a scheme, or "system" to follow the system."""
        self._chosen = scheme
        hints = QGuiApplication.styleHints()
        if scheme == "system":
            hints.unsetColorScheme()
        else:
            # For title bars and native dialogs; the rest of the window is styled by _apply_scheme.
            hints.setColorScheme(Qt.ColorScheme.Dark if scheme == "dark" else Qt.ColorScheme.Light)
        self._apply_scheme(self._resolved())

    def font(self, role: Role) -> QFont:
        """The application's font in the size and weight of a role."""
        font = QFont(QApplication.font())
        font.setPixelSize(PIXELS[role])
        if role == "head":
            font.setWeight(QFont.Weight.DemiBold)
            font.setCapitalization(QFont.Capitalization.AllUppercase)
        elif role in ("axis_strong", "strong", "title", "answer"):
            font.setWeight(QFont.Weight.DemiBold)
        return font

    def monospace(self, role: Role = "help") -> QFont:
        """The platform's monospaced font, for shapes, counts and code."""
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPixelSize(PIXELS[role])
        return font

    def pixmap(self, name: str, token: str = "text", size: int = _ICON_SIZE, ratio: float = 1.0) -> QPixmap:
        """`resources/icons/<name>.svg` in a token's color, `size` wide; `ratio` is the device pixel ratio."""
        key = (name, token, size, ratio)
        pixmap = self._pixmaps.get(key)
        if pixmap is None:
            pixmap = self._pixmaps[key] = _rendered(name, self.color(token), size, ratio)
        return pixmap

    def icon(self, name: str, token: str | None = None) -> QIcon:
        """The icon in a token's color ("text" if None), gray if disabled, for the current scheme only."""
        icon = QIcon()
        # Rendering takes startup time, so only the ratios of the present screens, and 2 for one added later.
        for ratio in {1.0, 2.0, *(screen.devicePixelRatio() for screen in QGuiApplication.screens())}:
            icon.addPixmap(self.pixmap(name, token or "text", ratio=ratio))
            icon.addPixmap(self.pixmap(name, "secondary", ratio=ratio), QIcon.Mode.Disabled)
        return icon

    def bind_icon(self, target: QAction | QAbstractButton, name: str, token: str | None = None) -> None:
        """Sets the icon of an action or button, now and after every change of scheme while it exists."""

        def set_icon() -> None:
            if shiboken6.isValid(target):
                target.setIcon(self.icon(name, token))
            else:
                self.changed.disconnect(set_icon)

        set_icon()
        self.changed.connect(set_icon)

    def _resolved(self) -> Scheme:
        if self._chosen != "system":
            return self._chosen
        return "dark" if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else "light"

    def _on_system_scheme_changed(self) -> None:
        if self._resolved() != self._scheme:
            self._apply_scheme(self._resolved())

    def _apply_scheme(self, scheme: Scheme) -> None:
        # Setting a style sheet lays out every widget anew, so not without need.
        if self._applied == (scheme, self._application):
            return
        self._applied = scheme, self._application
        self._scheme = scheme
        self._colors.clear()
        self._pixmaps.clear()
        if self._application is not None:
            self._application.setPalette(self._palette())
            self._application.setStyleSheet(self.style_sheet())
        self.changed.emit(scheme)

    def style_sheet(self) -> str:
        """`resources/style.qss` with the colors of the current scheme."""
        text = resource("style.qss").read_text("utf-8")
        for name in sorted(TOKENS, key=len, reverse=True):
            text = text.replace(f"@{name}@", self.color(name).name())
        return text.replace("@controls@", (resources_folder() / "controls" / self._scheme).as_posix())

    def _palette(self) -> QPalette:
        """The palette for what the style sheet does not cover: native dialogs, tooltips, plain widgets."""
        palette = QPalette()
        roles = QPalette.ColorRole
        for role, token in (
            (roles.Window, "background"),
            (roles.WindowText, "text"),
            (roles.Base, "panel"),
            (roles.AlternateBase, "background"),
            (roles.Text, "text"),
            (roles.PlaceholderText, "secondary"),
            (roles.Button, "panel"),
            (roles.ButtonText, "text"),
            (roles.BrightText, "wrong"),
            (roles.Highlight, "accent"),
            (roles.HighlightedText, "on_accent"),
            (roles.Accent, "accent"),
            (roles.Link, "accent"),
            (roles.ToolTipBase, "panel"),
            (roles.ToolTipText, "text"),
            (roles.Mid, "border"),
        ):
            palette.setColor(role, self.color(token))
        for role in (roles.WindowText, roles.Text, roles.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.color("secondary"))
        return palette


@cache
def theme() -> Theme:
    """The theme of the application."""
    return Theme()


def family_token(family: Family) -> str:
    """The color token of a layer family."""
    return family.name.lower()


@cache
def _drawing(name: str) -> str:
    return resource(f"icons/{name}.svg").read_text("utf-8")


def _rendered(name: str, color: QColor, size: int, ratio: float) -> QPixmap:
    # The icons are drawn in black as a placeholder; see resources/icons/README.md.
    renderer = QSvgRenderer(QByteArray(_drawing(name).replace("#000", color.name()).encode()))
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        renderer.render(painter, QRectF(pixmap.rect()))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
