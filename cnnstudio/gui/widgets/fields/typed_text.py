"""What a text that is typed into a field means: valid, or why not."""

from __future__ import annotations

from PySide6.QtGui import QValidator

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.numbers import parse_number
from cnnstudio.core.parameters import Integer, Number, Parameter


def error_text(parameter: Parameter, text: str) -> str:
    """Why a typed value is invalid, as a sentence; empty if it is valid."""
    try:
        parameter.from_text(text)
    except ParameterError as error:
        message = str(error)
        return f"{message[:1].upper()}{message[1:]}."
    return ""


def exceeded_limit(parameter: Integer | Number, text: str) -> tuple[str, int | float] | None:
    """`At most` or `At least`, and the limit that a typed number is beyond; None if it is beyond none."""
    try:
        number = parse_number(text, whole=isinstance(parameter, Integer))
    except ParameterError:
        return None
    if number is None or parameter.minimum <= number <= parameter.maximum:
        return None
    is_above = number > parameter.maximum
    return ("At most", parameter.maximum) if is_above else ("At least", parameter.minimum)


def validator_state(parameter: Parameter, text: str) -> QValidator.State:
    """Never Invalid: any text may be typed, but only a valid one becomes the value."""
    is_valid = not error_text(parameter, text)
    return QValidator.State.Acceptable if is_valid else QValidator.State.Intermediate
