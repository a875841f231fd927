"""Numbers as people type them: with a decimal point or comma, with or without separated thousands."""

from __future__ import annotations

import re

from cnnstudio.core.errors import ParameterError

_MINUS = str.maketrans("\N{MINUS SIGN}\N{EN DASH}", "--")
_EXPONENT = r"([eE][+-]?\d+)?"
_PLAIN = re.compile(rf"\d+{_EXPONENT}")
_POINT = re.compile(rf"(?:\d+\.\d*|\.\d+){_EXPONENT}")
_COMMA = re.compile(rf"(?:\d+,\d*|,\d+){_EXPONENT}")
_ONE_GROUP = re.compile(rf"([1-9]\d{{0,2}},\d{{3}}){_EXPONENT}")
_SPACES = r"[ '’\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]"
_SPACED_GROUPS = re.compile(rf"[1-9]\d{{0,2}}(?:{_SPACES}\d{{3}})+(?:[.,]\d*)?{_EXPONENT}")
_COMMA_GROUPS = re.compile(rf"[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d*)?{_EXPONENT}")
_POINT_GROUPS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+,\d*|[1-9]\d{0,2}(?:\.\d{3}){2,}")
_MAXIMUM_DIGITS = 400
"""More are out of any range, and int() refuses more than 4,300."""


def parse_number(text: str, *, whole: bool = False) -> int | float | None:
    """The number in a text; None if it is not a number.

    A comma is a decimal sign, unless it separates thousands: `0,001` is 0.001, and `1,234,567` an integer.
    In `1,024` it could be either. Where an integer is expected (`whole`) it separates thousands, as it does
    wherever this program shows one; elsewhere ParameterError is raised.
    """
    sign, digits = _split_sign(text.strip().translate(_MINUS))
    if _SPACED_GROUPS.fullmatch(digits):
        # A comma that follows separated thousands is a decimal sign.
        digits = re.sub(_SPACES, "", digits).replace(",", ".")
    if _ONE_GROUP.fullmatch(digits) and not whole:
        decimal, thousands = digits.replace(",", "."), digits.replace(",", "")
        raise ParameterError(f"{digits} could be {decimal} or {thousands}: type one of these")
    if _COMMA_GROUPS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _POINT_GROUPS.fullmatch(digits):
        digits = digits.replace(".", "").replace(",", ".")
    elif _COMMA.fullmatch(digits):
        digits = digits.replace(",", ".")
    if _PLAIN.fullmatch(digits) and "e" not in digits.lower():
        return int(sign + digits[:_MAXIMUM_DIGITS])
    return float(sign + digits) if _PLAIN.fullmatch(digits) or _POINT.fullmatch(digits) else None


def _split_sign(text: str) -> tuple[str, str]:
    return (text[:1], text[1:].lstrip()) if text[:1] in ("+", "-") else ("", text)
