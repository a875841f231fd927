"""The values of `--vary`: `learning_rate=0.001..0.1`, `batch_size=64,128`, `conv2d_1.filters=8..64:8`."""

from __future__ import annotations

import re
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.numbers import parse_number
from cnnstudio.core.parameters import shorten
from cnnstudio.design.network import Network
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.space import Dimension, find_setting, make_choices, make_range

_SCALES = ("log", "linear")
_DECIMALS = re.compile(r"0\d+")
_PAIR = re.compile(r"(\d{1,9})x(\d{1,9})")


def parse_vary(text: str, network: Network) -> Dimension:
    """The setting, and the range or values to search. Raises SearchError, which names the setting."""
    # From the right, because a layer's name may contain an equals sign; values cannot.
    name, sign, values = (part.strip() for part in text.rpartition("="))
    if not sign or not name or not values:
        raise SearchError(
            f"“{shorten(text)}” is not a setting to vary; write NAME=LOW..HIGH or NAME=VALUE,VALUE, such as "
            "learning_rate=0.001..0.1"
        )
    try:
        setting = find_setting(network, name)
        if ".." not in values:
            return make_choices(setting, [_parse_value(word) for word in values.split(",")])
        bounds, *suffixes = values.split(":")
        low, _, high = bounds.partition("..")
        scales = [word for word in suffixes if word in _SCALES]
        steps = [_parse_value(word) for word in suffixes if word not in _SCALES]
        if len(scales) > 1 or len(steps) > 1:
            raise SearchError("a range can be followed by one step, or by log or linear, such as 16..64:16")
        scale, step = next(iter(scales), None), next(iter(steps), None)
        return make_range(setting, _parse_value(low), _parse_value(high), step, scale)
    except SearchError as error:
        raise SearchError(f"{shorten(name)}: {error}") from None


def _parse_value(word: str) -> Any:
    """A number, true or false, `3x5` as a pair, or the word itself, which the parameter then validates."""
    word = word.strip()
    if _DECIMALS.fullmatch(word):
        raise SearchError(
            f"“{shorten(word)}” begins with 0: write decimals with a point, a comma separates values"
        )
    try:
        number = parse_number(word)
    except ParameterError as error:
        raise SearchError(str(error)) from None
    if number is not None:
        return number
    if word in ("true", "false"):
        return word == "true"
    pair = _PAIR.fullmatch(word)
    return (int(pair[1]), int(pair[2])) if pair else word
