"""The code that layers write, read back as calls, to be compared with what other people wrote."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

from cnnstudio.interchange.interpreter.evaluator import Evaluator
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Call, Name


@lru_cache(maxsize=4096)
def layer_call(code: str) -> Call:
    """The call in an expression such as `nn.Conv2d(3, 8, kernel_size=3)`."""
    reader = _Names(Notes())
    value = reader.evaluate(ast.parse(code, mode="eval").body, reader.module)
    return value if isinstance(value, Call) else Call("")


class _Names(Evaluator):
    """Takes every name for something imported."""

    def on_name(self, name: str) -> Any:
        return Name(name)
