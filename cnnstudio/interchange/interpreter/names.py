"""Names that come from a design or a data set, made safe for source code."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable


def class_name(title: str) -> str:
    """A name for a class: `Lesson CNN` gives `LessonCNN`; it is `Network` where nothing usable is left."""
    words = re.findall(r"[A-Za-z0-9]+", title)
    name = "".join(word[:1].upper() + word[1:] for word in words)[:60]
    if not name or name[0].isdigit() or keyword.iskeyword(name):
        return "Network" + ("" if keyword.iskeyword(name) else name)
    return name


def scope_name(title: str) -> str:
    """The title with an underscore for each sign that TensorFlow refuses; empty where it cannot begin so.

    Names of scopes become those of variables; a wrong one is noticed only when the training begins.
    """
    name = re.sub(r"[^A-Za-z0-9_.>-]", "_", title)
    return name if re.match(r"[A-Za-z0-9.]", name) else ""


def comment_text(text: str) -> str:
    """The text on one line, fit for a comment or a docstring: no line breaks, quotes or backslashes in it."""
    flat = " ".join(text.split())
    return "".join(sign for sign in flat if sign.isprintable() and sign not in '"\\')


def quoted(text: str) -> str:
    """The text as a Python string, whatever it holds, in double quotes where possible."""
    literal = repr(text)
    return f'"{literal[1:-1]}"' if literal.startswith("'") and '"' not in text else literal


def defined_names(sources: Iterable[str]) -> set[str]:
    """The classes and functions that stand at the left edge of these sources."""
    return {name for source in sources for name in re.findall(r"^(?:class|def) (\w+)", source, re.MULTILINE)}


def written_title(docstring: str | None) -> str | None:
    """The network's name in the docstring of a file that this program wrote; None for any other."""
    found = re.match(r"(.{1,100}), written by CNN Studio\.", docstring or "")
    return found[1] if found else None
