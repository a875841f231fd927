"""Colors, fonts and icons of the window, in light and dark.

Every color is asked for by the name of its token, so that the same thing has the same color everywhere and
a change of scheme reaches all: `theme().color("training")`. What keeps images of its own listens to
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

Role = Literal["head", "help", "content", "strong", "title"]

PIXELS: Mapping[Role, int] = {"head": 10, "help": 12, "content": 13, "strong": 13, "title": 14}
"""Text sizes: column heads, help and secondary text, content, names in content, titles of panels."""

_ICON_SIZE = 17


class Theme(QObject):
    """The one look of the application. Get it by `theme()`."""

    changed = Signal(object)
    """The scheme, "light" or "dark", after all colors changed."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted: Literal["light", "dark", "system"] = "system"
        self._scheme: Scheme = "light"
        self._application: QApplication | None = None
        self._colors: dict[str, QColor] = {}
        self._pixmaps: dict[tuple[str, str, int, float], QPixmap] = {}

    @property
    def scheme(self) -> Scheme:
        return self._scheme

    def color(self, token: str) -> QColor:
        """The color of a token of TOKENS, in the scheme that is shown."""
        color = self._colors.get(token)
        if color is None:
            color = self._colors[token] = QColor(TOKENS[token][self._scheme == "dark"])
        return color

    def apply(self, application: QApplication) -> None:
        """Gives the application its style, and follows the system's color scheme from now on."""
        if application is not self._application:
            self._application = application
            application.setStyle("Fusion")
            application.styleHints().colorSchemeChanged.connect(self._on_system_scheme_changed)
            content = QFont(application.font())
            content.setPixelSize(PIXELS["content"])
            application.setFont(content)
        self._show(self._resolved())

    def set_scheme(self, scheme: Literal["light", "dark", "system"]) -> None:
        """Shows one scheme, or what the system shows."""
        self._wanted = scheme
        hints = QGuiApplication.styleHints()
        if scheme == "system":
            hints.unsetColorScheme()
        else:
            # Title bars and the system's own dialogs follow this; the rest of the window follows _show.
            hints.setColorScheme(Qt.ColorScheme.Dark if scheme == "dark" else Qt.ColorScheme.Light)
        self._show(self._resolved())

    def font(self, role: Role) -> QFont:
        """The platform's family in one of the sizes of PIXELS."""
        font = QFont(QApplication.font())
        font.setPixelSize(PIXELS[role])
        if role == "head":
            font.setWeight(QFont.Weight.DemiBold)
            font.setCapitalization(QFont.Capitalization.AllUppercase)
        elif role in ("strong", "title"):
            font.setWeight(QFont.Weight.DemiBold)
        return font

    def monospace(self, role: Role = "help") -> QFont:
        """The platform's monospaced family, for shapes, counts and code."""
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPixelSize(PIXELS[role])
        return font

    def pixmap(self, name: str, token: str = "text", size: int = _ICON_SIZE, ratio: float = 1.0) -> QPixmap:
        """`resources/icons/<name>.svg` in a token's color, `size` wide where `ratio` pixels make one."""
        key = (name, token, size, ratio)
        pixmap = self._pixmaps.get(key)
        if pixmap is None:
            pixmap = self._pixmaps[key] = _rendered(name, self.color(token), size, ratio)
        return pixmap

    def icon(self, name: str, token: str | None = None) -> QIcon:
        """The icon in a token's color ("text" if None), gray where disabled. Better use `dress`."""
        icon = QIcon()
        # Each drawing costs time at the start: for the screens there are, and a fine one for those to come.
        for ratio in {1.0, 2.0, *(screen.devicePixelRatio() for screen in QGuiApplication.screens())}:
            icon.addPixmap(self.pixmap(name, token or "text", ratio=ratio))
            icon.addPixmap(self.pixmap(name, "secondary", ratio=ratio), QIcon.Mode.Disabled)
        return icon

    def dress(self, target: QAction | QAbstractButton, name: str, token: str | None = None) -> None:
        """Gives an action or button its icon, now and after every change of scheme, as long as it lives."""

        def put() -> None:
            if shiboken6.isValid(target):
                target.setIcon(self.icon(name, token))
            else:
                self.changed.disconnect(put)

        put()
        self.changed.connect(put)

    def _resolved(self) -> Scheme:
        if self._wanted != "system":
            return self._wanted
        return "dark" if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else "light"

    def _on_system_scheme_changed(self) -> None:
        if self._resolved() != self._scheme:
            self._show(self._resolved())

    def _show(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._colors.clear()
        self._pixmaps.clear()
        if self._application is not None:
            self._application.setPalette(self._palette())
            self._application.setStyleSheet(self.style_sheet())
        self.changed.emit(scheme)

    def style_sheet(self) -> str:
        """`resources/style.qss` with the colors of the scheme."""
        text = resource("style.qss").read_text("utf-8")
        for name in sorted(TOKENS, key=len, reverse=True):
            text = text.replace(f"@{name}@", self.color(name).name())
        return text.replace("@controls@", (resources_folder() / "controls" / self._scheme).as_posix())

    def _palette(self) -> QPalette:
        """For what the style sheet does not reach: native dialogs, tool tips, plain widgets."""
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
    """The application's look."""
    return Theme()


def family_token(family: Family) -> str:
    """The token of a layer family's color."""
    return family.name.lower()


@cache
def _drawing(name: str) -> str:
    return resource(f"icons/{name}.svg").read_text("utf-8")


def _rendered(name: str, color: QColor, size: int, ratio: float) -> QPixmap:
    # The icons are drawn in one placeholder color; see resources/icons/README.md.
    renderer = QSvgRenderer(QByteArray(_drawing(name).replace("#000", color.name()).encode()))
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(pixmap.rect()))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
