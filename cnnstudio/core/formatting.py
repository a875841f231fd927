"""Numbers, sizes and durations as text, the same on the command line and in the window."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
_SPACES = str.maketrans("\n\r\t", "   ")
_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def format_count(number: int) -> str:
    """All digits: `18,496`."""
    return f"{number:,}"


def format_compact(number: int) -> str:
    """Rounded for comparison at a glance: `3.1 M`, `186 M`; all digits below 10,000."""
    if number < 10_000:
        return format_count(number)
    for size, unit in _UNITS:
        # 999,950 would round to "1000.0 k".
        if number >= size * 0.9995:
            value = number / size
            return f"{value:.1f} {unit}" if value < 99.95 else f"{value:,.0f} {unit}"
    raise AssertionError("a number of 10,000 or more has a unit")


def format_value(value: float) -> str:
    """A measured value in three digits: `0.00123`, `12.3`, `1,234`, from ten million on `1.23e+09`."""
    return f"{value:,.0f}" if 999.5 <= abs(value) < 1e7 else f"{value:.3g}"


def format_change(difference: float, how: str = ",") -> str:
    """With its sign, as people write it: `+1,200`, `−3`. `how` is what stands behind the sign in a format."""
    text = f"{difference:+{how}}"
    # What is rounded to nothing has no direction.
    return text.replace("-", "\N{MINUS SIGN}") if re.search("[1-9]|[a-z]", text) else text.lstrip("+-")


def pluralize(number: int, noun: str) -> str:
    """`1 layer`, `1,200 layers`."""
    return f"{format_count(number)} {noun}" if number == 1 else f"{format_count(number)} {noun}s"


def join_words(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def at_least(text: str, *, is_exact: bool) -> str:
    """An amount whose exact value may be unknown: `1,200 layers` or `at least 1,200 layers`."""
    return text if is_exact else f"at least {text}"


def ordinal(number: int) -> str:
    """`third` for 3, `21st` for 21."""
    if 1 <= number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    teens = 10 <= number % 100 <= 20
    suffix = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{format_count(number)}{suffix}"


def list_names(names: Iterable[str], limit: int = 300) -> str:
    """The names with commas between them, cut with an ellipsis at `limit` characters."""
    text = ", ".join(names)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def format_percent(fraction: float) -> str:
    """`73.5%` for 0.735."""
    return f"{100 * fraction:.1f}%"


def format_bytes(size: int) -> str:
    """A number of bytes in decimal units: `640 B`, `12 kB`, `1.3 MB`, `45 MB`, `1.3 GB`."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        # 999.6 kB would round to "1000 kB".
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    if unit == "MB" and value < 9.95:
        return f"{value:.2g} MB"
    return f"{value:,.1f} {unit}" if unit in ("GB", "TB") else f"{value:.0f} {unit}"


def format_duration(seconds: float) -> str:
    """The two largest units: `12 s`, `1 m 5 s`, `2 h 5 m`, `3 d 4 h`."""
    left = max(round(seconds), 0)
    if left < 60:
        return f"{left} s"
    if left < 3600:
        return f"{left // 60} m {left % 60} s"
    minutes = round(left / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} m"
    hours = round(left / 3600)
    return f"{hours // 24} d {hours % 24} h"


def estimate_duration(seconds: float) -> str:
    """`about 12 s`, or `less than a second`."""
    return "less than a second" if seconds < 0.95 else f"about {format_duration(seconds)}"


def as_printed(name: str) -> str:
    """The name as the command line prints it: bytes that are not UTF-8 are escaped, such as \\udcff."""
    return escape_bytes(clean_line(name))


def escape_bytes(text: str) -> str:
    """The text as UTF-8 can hold it: bytes of names that are not UTF-8 are escaped as in JSON, \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode()


def clean_text(text: str) -> str:
    """The text without what a terminal would act on, for names and messages from outside.

    Control characters, which begin escape sequences, and characters that change the direction or the lines
    of what follows are replaced by �. Line feeds and tabs stay, and so does all other Unicode.
    """
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def clean_line(text: str) -> str:
    """The same on one line: line feeds and tabs become spaces."""
    return clean_text(text.translate(_SPACES))


def screen_reader_text(text: str) -> str:
    """For screen readers, which skip × or read it as a letter: `64 × 13 × 13` becomes `64 by 13 by 13`."""
    return text.replace("×", "by").replace(" · ", ", ")
