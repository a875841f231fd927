"""A node, as those who turn it into layers see it: its inputs, its settings and the graph around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cnnstudio.interchange.interpreter.graph import SymbolicTensor
from cnnstudio.interchange.onnx.arrays import Array
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.file.model import Operation
from cnnstudio.interchange.onnx.pointwise import Functions
from cnnstudio.interchange.onnx.values import Features, Value


@dataclass
class Context:
    """What is known of the graph while its nodes are read in order."""

    opset: int
    batch: int
    """The number of images at once; 1 if it is left open."""
    output: str
    """The name of the output that is wanted."""
    values: dict[str, Value] = field(default_factory=dict)
    producers: Mapping[str, Operation] = field(default_factory=dict)
    functions: dict[str, Functions] = field(default_factory=dict)
    """What is computed from other values one by one, as functions of these."""
    joined: dict[tuple[int, ...], SymbolicTensor] = field(default_factory=dict)
    """Concatenations by the ids of their parts."""
    made: int = 0
    """Elements of constants that the file does not hold, but makes of one number."""
    is_log: bool = False
    """Whether the output is the logarithm of probabilities."""


class Node:
    """One operation. Its methods raise NotExpressibleError if something is missing or of another kind."""

    def __init__(self, operation: Operation, context: Context) -> None:
        self.operation = operation
        self.context = context

    @property
    def count(self) -> int:
        return len(self.operation.inputs)

    def value(self, index: int) -> Value | None:
        """The input at that place; None if it is left out."""
        name = self.operation.inputs[index] if index < self.count else ""
        return self.context.values[name] if name else None

    def features(self, index: int) -> Features:
        found = self.value(index)
        if not isinstance(found, Features):
            raise NotExpressibleError("computes with a constant where layers here take features")
        return found

    def array(self, index: int) -> Array:
        found = self.optional_array(index)
        if found is None:
            raise NotExpressibleError(f"lacks its input {index + 1}")
        return found

    def optional_array(self, index: int) -> Array | None:
        found = self.value(index)
        if found is not None and not isinstance(found, Array):
            raise NotExpressibleError("computes its weights or settings from the image")
        return found

    def arrays(self) -> list[Array | None]:
        """All inputs, with None for those that are no constants."""
        values = [self.value(index) for index in range(self.count)]
        return [value if isinstance(value, Array) else None for value in values]

    def integer(self, name: str, default: int) -> int:
        found = self.operation.attributes.get(name, default)
        if not isinstance(found, int):
            raise NotExpressibleError(f"has no integer as {name}")
        return found

    def number(self, name: str, default: float) -> float:
        found = self.operation.attributes.get(name, default)
        if not isinstance(found, int | float):
            raise NotExpressibleError(f"has no number as {name}")
        return float(found)

    def text(self, name: str, default: str) -> str:
        found = self.operation.attributes.get(name, default)
        if not isinstance(found, str):
            raise NotExpressibleError(f"has no text as {name}")
        return found

    def integers(self, name: str) -> list[int] | None:
        found = self.operation.attributes.get(name)
        if found is None:
            return None
        if not isinstance(found, list) or not all(isinstance(each, int) for each in found):
            raise NotExpressibleError(f"has no list of integers as {name}")
        return [int(each) for each in found]

    def pair(self, name: str) -> tuple[int, int]:
        """Two numbers for height and width; 1 and 1 by default."""
        found = self.integers(name) or [1, 1]
        if len(found) != 2:
            raise NotExpressibleError("is not two-dimensional, as images are")
        return found[0], found[1]


Handler = Callable[[Node], Value | Sequence[Value]]
"""What turns a node into its outputs. Raises NotExpressibleError."""
