"""Makes names from designs and data sets safe to use in source code."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable


def class_name(title: str) -> str:
    """A class name: `LessonCNN` for `Lesson CNN`; `Network` if nothing usable is left."""
    words = re.findall(r"[A-Za-z0-9]+", title)
    name = "".join(word[:1].upper() + word[1:] for word in words)[:60]
    if not name or name[0].isdigit() or keyword.iskeyword(name):
        return "Network" + ("" if keyword.iskeyword(name) else name)
    return name


def scope_name(title: str) -> str:
    """The title with characters that TensorFlow does not allow replaced by underscores.

    Empty if the first character is not allowed. Scope names become parts of variable names; an invalid one
    raises an error only when training starts.
    """
    name = re.sub(r"[^A-Za-z0-9_.>-]", "_", title)
    return name if re.match(r"[A-Za-z0-9.]", name) else ""


def comment_text(text: str) -> str:
    """The text on one line, safe in a comment or docstring: without quotes, backslashes and line breaks."""
    flat = " ".join(text.split())
    return "".join(character for character in flat if character.isprintable() and character not in '"\\')


def string_literal(text: str) -> str:
    """The text as a Python string literal, in double quotes if possible."""
    literal = repr(text)
    return f'"{literal[1:-1]}"' if literal.startswith("'") and '"' not in text else literal


def defined_names(sources: Iterable[str]) -> set[str]:
    """The names of the classes and functions defined at the top level of these sources."""
    return {name for source in sources for name in re.findall(r"^(?:class|def) (\w+)", source, re.MULTILINE)}


def title_from_docstring(docstring: str | None) -> str | None:
    """The network's name, from the docstring of a file exported by this program; None for other files."""
    found = re.match(r"(.{1,100}), written by CNN Studio\.", docstring or "")
    return found[1] if found else None
