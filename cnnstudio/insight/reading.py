"""Readings: what an instrument shows of a model, as frozen values of checked numpy arrays. Needs no torch.

A reading may come from the file of a stranger, and views draw arrays from their memory. So each one checks
its arrays when it is created, whoever creates it: their type, shape, size and numbers.
"""

from __future__ import annotations

import dataclasses
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from cnnstudio.core.parameters import shorten

Array = npt.NDArray[Any]
Canvas = npt.NDArray[np.uint8]

MAX_BYTES = 64 * 2**20
"""The most bytes of a whole reading."""

LARGEST = 3.5e38
"""Above the largest float32: numbers lie within it, on both sides of 0."""

_MAX_NAME = 1_000
_MAX_INTEGER = 2**53 - 1


@dataclass(frozen=True)
class _Spec:
    """What the field of a reading may hold."""

    kind: str
    """"array", "integer", "float", "text", "names" or "indices"."""
    dtype: str = ""
    dims: tuple[int | str, ...] = ()
    """The length of each axis; equal names stand for equal lengths in all arrays of the reading."""
    low: float = -LARGEST
    high: float = LARGEST
    optional: bool = False
    is_pixels: bool = False
    """Whether JSON has only its shape."""


def array(
    dtype: str,
    *dims: int | str,
    low: float = -LARGEST,
    high: float = LARGEST,
    optional: bool = False,
    is_pixels: bool = False,
) -> Any:
    """A field with a read-only array of finite numbers from `low` to `high`; None if it is `optional`.

    `dims` are the lengths of the axes: a number, or a name that stands for the same length everywhere in the
    reading.
    """
    spec = _Spec("array", dtype, dims, low, high, optional, is_pixels)
    return field(default=None, metadata={"spec": spec}) if optional else field(metadata={"spec": spec})


def integer(low: int = 0, high: int = _MAX_INTEGER) -> Any:
    """A field with an int."""
    return field(metadata={"spec": _Spec("integer", low=low, high=high)})


def real(low: float = -LARGEST, high: float = LARGEST) -> Any:
    """A field with a finite float."""
    return field(metadata={"spec": _Spec("float", low=low, high=high)})


def text() -> Any:
    """A field with a str, such as the id of a layer."""
    return field(metadata={"spec": _Spec("text")})


def names(dim: str) -> Any:
    """A field with a tuple of str, as many as `dim` stands for."""
    return field(metadata={"spec": _Spec("names", dims=(dim,))})


def indices(dim: str) -> Any:
    """A field with a tuple of int, each of them an index into an axis of the length that `dim` stands for."""
    return field(metadata={"spec": _Spec("indices", dims=(dim,))})


@dataclass(frozen=True, eq=False)
class Reading(ABC):
    """The base of all readings. Creating one raises ValueError, in one sentence, for anything unsound."""

    title: ClassVar[str] = ""
    """What it is, for messages: `confusion matrix`."""

    def __post_init__(self) -> None:
        lengths: dict[str, int] = {}
        size = 0
        for name, spec in self._specs().items():
            value = getattr(self, name)
            if spec.kind == "array":
                if value is None and spec.optional:
                    continue
                checked = self._checked_array(name, spec, value, lengths)
                size += checked.nbytes
                object.__setattr__(self, name, checked)
            elif spec.kind == "names":
                self._check_names(name, value)
                self._bind(name, spec.dims, (len(value),), lengths)
            elif spec.kind == "indices":
                self._check_indices(name, value, lengths[str(spec.dims[0])])
            else:
                object.__setattr__(self, name, self._checked_scalar(name, spec, value))
        if size > MAX_BYTES:
            raise self._unsound(f"is larger than {MAX_BYTES // 2**20} MB")
        self.validate()

    def validate(self) -> None:  # noqa: B027  # most readings have nothing more to check
        """Raises ValueError for what the types and shapes of the fields do not tell."""

    @abstractmethod
    def summary(self) -> str:
        """What the reading shows, in one sentence for people who cannot see it."""

    @abstractmethod
    def draw(self) -> Canvas:
        """The reading drawn without a window, uint8 (height, width, 3)."""

    def pack(self) -> dict[str, Array]:
        """The reading as named arrays of numbers, from which `unpack` makes it again."""
        packed: dict[str, Array] = {}
        for name, spec in self._specs().items():
            value = getattr(self, name)
            if value is None:
                continue
            if spec.kind == "array":
                packed[name] = value
            elif spec.kind == "text":
                packed[name] = np.frombuffer(value.encode("utf-8", "surrogatepass"), np.uint8)
            elif spec.kind == "names":
                packed[name] = np.frombuffer(json.dumps(list(value)).encode(), np.uint8)
            elif spec.kind == "indices":
                packed[name] = np.array(value, np.int64)
            else:
                packed[name] = np.array(value, np.int64 if spec.kind == "integer" else np.float64)
        return packed

    @classmethod
    def unpack(cls, arrays: Mapping[str, Array]) -> Self:
        """The reading that `pack` gave; other arrays are ignored. Raises ValueError."""
        values: dict[str, Any] = {}
        for name, spec in cls._specs().items():
            if name not in arrays:
                if not spec.optional:
                    raise cls._unsound(f"has no “{name}”")
                continue
            values[name] = cls._unpacked(name, spec, np.asarray(arrays[name]))
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Each array as `{"shape": …, "values": …}` with nested lists; of pixels only the shape."""
        content: dict[str, Any] = {}
        for name, spec in self._specs().items():
            value = getattr(self, name)
            if spec.kind == "array" and value is not None:
                content[name] = {"shape": list(value.shape)}
                if not spec.is_pixels:
                    content[name]["values"] = value.tolist()
            else:
                content[name] = list(value) if isinstance(value, tuple) else value
        return content | self.derived()

    def derived(self) -> dict[str, Any]:
        """More entries for JSON, which follow from the fields."""
        return {}

    @cached_property
    def memory(self) -> Mapping[int, int]:
        """Address -> bytes of each of its arrays. Readings may share some, which then count once."""
        arrays = (getattr(self, name) for name, spec in self._specs().items() if spec.kind == "array")
        return {each.__array_interface__["data"][0]: each.nbytes for each in arrays if each is not None}

    @property
    def nbytes(self) -> int:
        """The memory of its arrays."""
        return sum(self.memory.values())

    @classmethod
    def _specs(cls) -> dict[str, _Spec]:
        return {item.name: item.metadata["spec"] for item in dataclasses.fields(cls)}

    @classmethod
    def _unpacked(cls, name: str, spec: _Spec, packed: Array) -> Any:
        if spec.kind == "array":
            return packed
        if packed.nbytes > MAX_BYTES:
            raise cls._unsound(f"has a “{name}” that is too large")
        if spec.kind in ("integer", "float"):
            if packed.shape != () or packed.dtype != (np.int64 if spec.kind == "integer" else np.float64):
                raise cls._unsound(f"has a “{name}” that is not a single number")
            return packed.item()
        expected = np.int64 if spec.kind == "indices" else np.uint8
        if packed.dtype != expected or packed.ndim != 1:
            raise cls._unsound(f"has a “{name}” that cannot be read")
        if spec.kind == "indices":
            return tuple(packed.tolist())
        try:
            content = packed.tobytes().decode("utf-8", "surrogatepass")
            if spec.kind == "text":
                return content
            found = json.loads(content)
        except (ValueError, RecursionError):
            raise cls._unsound(f"has a “{name}” that cannot be read") from None
        return tuple(found) if isinstance(found, list) else found

    def _checked_array(self, name: str, spec: _Spec, value: Any, lengths: dict[str, int]) -> Array:
        """The value as a read-only array. Raises ValueError."""
        if not isinstance(value, np.ndarray) or value.dtype != np.dtype(spec.dtype):
            found = getattr(value, "dtype", type(value).__name__)
            raise self._unsound(f"has a “{name}” of {found} where {spec.dtype} is expected")
        if value.ndim != len(spec.dims):
            raise self._unsound(f"has a “{name}” of {value.ndim} dimensions instead of {len(spec.dims)}")
        self._bind(name, spec.dims, value.shape, lengths)
        if value.nbytes > MAX_BYTES:
            raise self._unsound(f"has a “{name}” of more than {MAX_BYTES // 2**20} MB")
        # A NaN fails both comparisons.
        if value.size and not (spec.low <= value.min().item() and value.max().item() <= spec.high):
            raise self._unsound(f"has values in “{name}” that are not finite or out of range")
        view = value.view()
        view.flags.writeable = False
        return view

    def _bind(
        self, name: str, dims: tuple[int | str, ...], shape: tuple[int, ...], lengths: dict[str, int]
    ) -> None:
        """Raises ValueError if the shape differs from what the names of its axes stand for by now."""
        for dim, length in zip(dims, shape, strict=True):
            expected = lengths.setdefault(dim, length) if isinstance(dim, str) else dim
            if length != expected:
                raise self._unsound(f"has a “{name}” with {length:,} entries where {expected:,} are expected")

    def _check_names(self, name: str, value: Any) -> None:
        if not isinstance(value, tuple) or not all(
            isinstance(each, str) and len(each) <= _MAX_NAME for each in value
        ):
            raise self._unsound(f"has a “{name}” that is not a list of names")

    def _check_indices(self, name: str, value: Any, length: int) -> None:
        """Raises ValueError. `length` is known, because the field's axis belongs to an array before it."""
        if not isinstance(value, tuple) or not all(
            type(each) is int and 0 <= each < length for each in value
        ):
            raise self._unsound(f"has a “{name}” outside of what it counts")

    def _checked_scalar(self, name: str, spec: _Spec, value: Any) -> Any:
        """The value as int, float or str. Raises ValueError."""
        if spec.kind == "text":
            if not isinstance(value, str) or len(value) > _MAX_NAME:
                raise self._unsound(f"has a “{name}” that is not a short text")
            return value
        is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if spec.kind == "float":
            is_number = is_number or isinstance(value, float | np.floating)
        if not is_number or not (spec.low <= value <= spec.high and math.isfinite(value)):
            raise self._unsound(f"has a “{name}” of {shorten(str(value))}, which is not possible")
        return int(value) if spec.kind == "integer" else float(value)

    @classmethod
    def _unsound(cls, what: str) -> ValueError:
        return ValueError(f"The {cls.title} {what}.")
