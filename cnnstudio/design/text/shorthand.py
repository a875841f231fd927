"""Layers as people type them in one line: `conv 64 3 relu same, pool, dropout 0.3`.

A layer begins with its name or a part of it, then come its parameters in any order: numbers fill those that
take numbers one after the other (`conv 64 3`), words that a parameter can be stand for themselves (`relu`),
and names say which is meant (`stride 2`, `strides=2`, `s2`, `no bias`). A group has its layers in brackets,
and what stands in quotes is the layer's own name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.parameters import Choice, Flag, Integer, Pair, Parameter, parameters, shorten
from cnnstudio.design.network import MAXIMUM_DEPTH, IdMaker, Node, clean_name
from cnnstudio.design.text.palette_search import NAMED, find_types, fit_of, values_of
from cnnstudio.layers.base import Group, Layer
from cnnstudio.layers.catalog import layer_types

_MOST_WORDS = 4
"""Of a type's name: `global average pooling 2d`."""
_WITHOUT = ("no", "without")

_PAIR_IN_BRACKETS = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_PAIR = re.compile(r"(\d)\s*[x×]\s*(?=\d)")
_TOKEN = re.compile(r'"[^"]*"?|[()]|[,;>→]+|[^\s(),;>→"]+')
_BREAK = re.compile(r"[,;>→]+")
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e-?\d+)?|-?\.\d+")
_SIZES = re.compile(r"\d+(?:x\d+)+")
_LETTERS_AND_NUMBER = re.compile(r"([a-z_]+?)(\d+(?:\.\d+)?(?:x\d+)?)")


class PhraseError(UserError):
    """A line that says no layers; the message names the word."""


def read_phrase(text: str, fresh: IdMaker) -> list[Node]:
    """The layers of a line under ids made by `fresh`. Raises PhraseError."""
    reader = _Reader(text, fresh)
    nodes = reader.layers(0)
    if reader.token is not None:
        raise PhraseError("there is a closing bracket too many")
    return nodes


@dataclass(frozen=True)
class Beginning:
    """The end of a line that may still become the name of a layer."""

    start: int
    """Where that name begins in the line."""
    kinds: tuple[type[Layer], ...]
    """The types that it may become, best first."""


def beginning(text: str) -> Beginning | None:
    """What the layer that is being typed may become; None where its name is complete, or nothing fits."""
    start = max((match.end() for match in re.finditer(r"[,;>→(]\s*", text)), default=0)
    typed = text[start:]
    # After a blank come parameters, unless the words so far are not yet a name by themselves.
    is_name = re.fullmatch(r"[A-Za-z]\w*(?: \w+)*", typed)
    if is_name is None or (" " in typed and not _kinds(typed.lower().split())):
        return None
    kinds = tuple(find_types(typed))
    return Beginning(start, kinds) if kinds else None


class _Reader:
    """Goes once through the words of a line."""

    def __init__(self, text: str, fresh: IdMaker) -> None:
        text = _PAIR.sub(r"\1x", _PAIR_IN_BRACKETS.sub(r" \1x\2 ", text))
        self._tokens = iter(_TOKEN.findall(re.sub(r"\s*=\s*", "=", text)))
        self._fresh = fresh
        self.token: str | None = None
        self._advance()

    def _advance(self) -> None:
        self.token = next(self._tokens, None)

    def layers(self, depth: int) -> list[Node]:
        """Up to the end of the line, or to the closing bracket."""
        if depth > MAXIMUM_DEPTH:
            raise PhraseError(f"groups can stand at most {MAXIMUM_DEPTH} deep in each other")
        nodes = []
        while self.token is not None and self.token != ")":
            if _BREAK.fullmatch(self.token):
                self._advance()
            else:
                nodes.append(self._layer(depth))
        return nodes

    def _layer(self, depth: int) -> Node:
        words, name = self._words()
        layer = _layer(words)
        children: list[Node] = []
        if self.token == "(":
            if not isinstance(layer, Group):
                raise PhraseError(f"{layer.type_name()} is no group and cannot hold layers")
            self._advance()
            children = self.layers(depth + 1)
            # A bracket that is still open at the end of the line closes there.
            if self.token is not None:
                self._advance()
        return self._fresh.node(layer, clean_name(name), tuple(children))

    def _words(self) -> tuple[list[str], str]:
        words, name = [], ""
        while self.token is not None and self.token not in "()" and not _BREAK.fullmatch(self.token):
            if self.token.startswith('"'):
                name = self.token.strip('"')
            else:
                words.append(self.token)
            self._advance()
        return words, name


def _layer(words: Sequence[str]) -> Layer:
    if not words:
        raise PhraseError("a layer begins with its name, such as conv, pool or dense")
    lower = [word.lower() for word in words]
    for length in range(min(_MOST_WORDS, len(words)), 0, -1):
        kinds = _kinds(lower[:length])
        if kinds:
            kind = kinds[0]
            # A value that means its type, such as relu for an Activation, is its first parameter, too.
            is_value = length == 1 and any(value.startswith(lower[0]) for value in values_of(kind))
            return _Values(kind).read(words if is_value else words[length:])
    raise PhraseError(f"there is no layer “{shorten(words[0])}”; {_examples()}")


def _examples() -> str:
    return f"there are {', '.join(list(layer_types())[:3])} and others in the palette"


def _kinds(words: Sequence[str]) -> list[type[Layer]]:
    """The types whose name these words are, or are a part of, best first."""
    if any(_NUMBER.fullmatch(word) for word in words):
        return []
    fits = [(fit_of(kind, words), kind) for kind in layer_types().values()]
    # The second word of a name is no value: in `activation relu` the name is `activation`.
    named = [
        (fit, kind)
        for fit, kind in fits
        if fit < NAMED and not (len(words) > 1 and _choice(kind, words[-1]) is not None)
    ]
    return [kind for _, kind in sorted(named, key=lambda pair: pair[0])]


def _choice(kind: type[Layer], word: str) -> tuple[Choice, str] | None:
    """The parameter that can be `word`, and its value. Three letters will do where they can only mean it."""
    choices = [parameter for parameter in parameters(kind) if isinstance(parameter, Choice)]
    pairs = [(parameter, value) for parameter in choices for value in parameter.choices]
    exact = [pair for pair in pairs if pair[1] == word]
    near = [pair for pair in pairs if len(word) > 2 and pair[1].startswith(word)]
    return exact[0] if exact else near[0] if len(near) == 1 else None


class _Values:
    """The values of one layer, word by word."""

    def __init__(self, kind: type[Layer]) -> None:
        self._kind = kind
        self._values: dict[str, Any] = {}
        self._named: Parameter | None = None
        """What the word before named, and the next one is the value of."""
        self._without = False

    def read(self, words: Sequence[str]) -> Layer:
        """The layer. Raises PhraseError that names the word which has no meaning here."""
        for word in words:
            self._word(word.lower())
        if self._named is not None and not isinstance(self._named, Flag):
            raise PhraseError(f"the value of {_plain(self._named)} is missing")
        return self._kind(**self._values)

    def _word(self, word: str) -> None:
        named, self._named = self._named, None
        name, _, value = word.partition("=")
        joined = _LETTERS_AND_NUMBER.fullmatch(word)
        if value:
            self._set(self._required(name), value)
        elif named is not None and (_is_number(word) or isinstance(named, Choice)):
            self._set(named, word)
        elif _is_number(word):
            self._set(self._next(word), word)
        elif word in _WITHOUT:
            self._without = True
        elif (found := _choice(self._kind, word)) is not None:
            self._values[found[0].name] = found[1]
        elif joined and (parameter := self._parameter(joined[1])) is not None:
            self._set(parameter, joined[2])
        else:
            self._name(word)

    def _name(self, word: str) -> None:
        """A parameter's name: a flag is switched by it, of others the value follows."""
        without = self._without or word.startswith(_WITHOUT)
        bare = word if self._without else re.sub(rf"^({'|'.join(_WITHOUT)})[-_]?", "", word) or word
        parameter = self._parameter(bare) or self._required(word)
        self._without = False
        if isinstance(parameter, Flag):
            self._values[parameter.name] = not without
        else:
            self._named = parameter

    def _required(self, name: str) -> Parameter:
        parameter = self._parameter(name)
        if parameter is None:
            raise PhraseError(
                f"{self._kind.type_name()} has no parameter “{shorten(name)}”; it takes {_taken(self._kind)}"
            )
        return parameter

    def _parameter(self, word: str) -> Parameter | None:
        """The first parameter whose name or label begins like this; else one of whose words does."""
        flat = word.replace("_", "")
        known = parameters(self._kind)
        for parameter in known:
            if parameter.name.replace("_", "").startswith(flat) or parameter.label.lower().startswith(word):
                return parameter
        inner = (each for each in known if any(part.startswith(flat) for part in each.name.split("_")))
        return next(inner, None)

    def _next(self, word: str) -> Parameter:
        """The parameter that a number without a name fills: the next one that takes such a number."""
        free = [
            parameter
            for parameter in parameters(self._kind)
            if not isinstance(parameter, Choice | Flag) and parameter.name not in self._values
        ]
        if not _is_whole(word):
            free = [parameter for parameter in free if _fits(parameter, word)] or free
        if not free:
            raise PhraseError(f"{self._kind.type_name()} takes no number “{shorten(word)}” more")
        return free[0]

    def _set(self, parameter: Parameter, word: str) -> None:
        try:
            self._values[parameter.name] = parameter.check(_value(parameter, word))
        except ParameterError as error:
            raise PhraseError(f"{_plain(parameter)}: {error}") from None


def _fits(parameter: Parameter, word: str) -> bool:
    """Whether a pair or a number with a fraction is of the parameter's kind."""
    return (
        isinstance(parameter, Pair) if _SIZES.fullmatch(word) else not isinstance(parameter, Pair | Integer)
    )


def _value(parameter: Parameter, word: str) -> Any:
    if isinstance(parameter, Flag):
        return {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}.get(
            word, word
        )
    if _SIZES.fullmatch(word):
        return [int(size) for size in word.split("x")]
    if not _NUMBER.fullmatch(word):
        return word
    # So long a number is refused anyway, and Python reads at most 4,300 digits.
    return int(word[:100]) if _is_whole(word) else float(word)


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal()


def _is_number(word: str) -> bool:
    return bool(_NUMBER.fullmatch(word) or _SIZES.fullmatch(word))


def _plain(parameter: Parameter) -> str:
    return parameter.name.replace("_", " ")


def _taken(kind: type[Layer]) -> str:
    return ", ".join(map(_plain, parameters(kind))) or "none"
