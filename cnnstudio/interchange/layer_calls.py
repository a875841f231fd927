"""Parses the code that layers generate into calls, to compare it with the calls in a listing."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

from cnnstudio.interchange.interpreter.calls import Calls
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Call, Name


@lru_cache(maxsize=4096)
def layer_call(code: str) -> Call:
    """The call in an expression such as `nn.Conv2d(3, 8, kernel_size=3)`; an empty one if it is no call."""
    evaluator = _ImportingEvaluator(Notes())
    value = evaluator.evaluate(ast.parse(code, mode="eval").body, evaluator.module)
    return value if isinstance(value, Call) else Call("")


class _ImportingEvaluator(Calls):
    """Treats every name as imported."""

    def on_name(self, name: str) -> Any:
        return Name(name)
