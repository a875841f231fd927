"""Names and texts from files, as Qt may show them: without markup, mnemonics and control characters.

Labels clean their own texts, see `labels`. These functions are for everything else that shows a text.
"""

from __future__ import annotations

import html
import re

from cnnstudio.core.formatting import clean_line, clean_text

_MAX_TEXT, _MAX_TOOLTIP, _MAX_LINE, _MAX_ENTRY = 2_000, 1_000, 200, 60
"""Characters. Longer texts are cut: they come from outside and can have any length."""
_MAX_TOOLTIP_LINE = 100
_LONG_WORD = re.compile(r"[^\s/-]{40}(?=[^\s/-])")
"""Qt breaks lines at spaces, slashes and hyphens only."""
BREAK = "\N{ZERO WIDTH SPACE}"
_SIZES = re.compile(r"(?<=\d) × (?=\d)")
_JOINED_SIZES = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"


def plain_text(text: str, limit: int = _MAX_TEXT) -> str:
    """The text without control characters, of limited length; line feeds stay."""
    return _limited(clean_text(text.replace("\t", " ")), limit)


def plain_line(text: str, limit: int = _MAX_LINE) -> str:
    """The same on one line."""
    return _limited(clean_line(text), limit)


def plain_entry(text: str, limit: int = _MAX_ENTRY) -> str:
    """The text of a button or a menu entry, without mnemonic: there, & would underline the next letter."""
    return plain_line(text, limit).replace("&", "&&")


def plain_title(text: str) -> str:
    """A part of a window's title, in which Qt would replace [*] by the mark of unsaved changes."""
    return plain_line(text).replace("[*]", "[*][*]")


def plain_tooltip(text: str) -> str:
    """The tooltip that shows the text as it is.

    Qt takes a text that looks like HTML for HTML, and breaks the lines of HTML only.
    """
    shown = plain_text(text, _MAX_TOOLTIP)
    lines = shown.split("\n")
    if "<" not in shown and max(map(len, lines)) <= _MAX_TOOLTIP_LINE:
        return shown
    return f"<span>{'<br>'.join(html.escape(breakable(line)) for line in lines)}</span>"


def breakable(text: str) -> str:
    """The text for several lines: with places in long words where Qt may break them, so that they do not
    widen their widget, and without such places in shapes like 64 × 6 × 6.
    """
    return _LONG_WORD.sub(rf"\g<0>{BREAK}", _SIZES.sub(_JOINED_SIZES, text))


def without_breaks(text: str) -> str:
    """The text as it was before `breakable`."""
    return text.replace(BREAK, "").replace(_JOINED_SIZES, " × ")


def _limited(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
