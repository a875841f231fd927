"""Shorthand: layers typed on one line, such as `conv 64 3 relu same, pool, dropout 0.3`.

Grammar: layers are separated by commas (or `;`, `>`, `→`); a comma between two digits does not separate
layers: it is a decimal sign, as in `dropout 0,3`, or stands between sizes, as in `conv 64 3,3`, as the
parameter needs it. A layer starts with its name or a part of it, followed by its parameters in any order:

- numbers fill the numeric parameters in their order: `conv 64 3`
- a value of a choice stands for itself: `relu`, `same`
- names select a parameter: `stride 2`, `strides=2`, `s2`, `no bias`
- text in quotes is the layer's name: `conv "stem"`

A group contains its layers in parentheses: `residual(conv, bn)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.numbers import parse_number
from cnnstudio.core.parameters import Choice, Flag, Integer, Pair, Parameter, parameters, shorten
from cnnstudio.design.network import MAXIMUM_DEPTH, IdGenerator, Node, clean_name
from cnnstudio.design.text.palette_search import NAME_MATCH, match_rank, search_layer_types, type_values
from cnnstudio.layers.base import Group, Layer
from cnnstudio.layers.catalog import layer_types

_MAXIMUM_NAME_WORDS = 4
"""As in `global average pooling 2d`."""
_WITHOUT = ("no", "without")

_PAIR_IN_BRACKETS = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_PAIR = re.compile(r"(\d)\s*[x×]\s*(?=\d)")
_TOKEN = re.compile(r'"[^"]*"?|[()]|(?:[^\s(),;>→"]|(?<=\d),(?=\d))+|[,;>→]+')
_NUMBER_WITH_COMMA = re.compile(r"[\d.]+(?:,[\d.]+)+")
_SIZES_WITH_COMMA = re.compile(r"\d+,\d+")
_BREAK = re.compile(r"[,;>→]+")
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e-?\d+)?|-?\.\d+")
_SIZES = re.compile(r"\d+(?:x\d+)+")
_LETTERS_AND_NUMBER = re.compile(r"([a-z_]+?)(\d+(?:[.,]\d+)?(?:x\d+)?)")


class ShorthandError(UserError):
    """The text does not describe layers; the message names the word that is wrong."""


def parse_shorthand(text: str, fresh: IdGenerator) -> list[Node]:
    """The layers that the text describes, with ids from `fresh`. Raises ShorthandError."""
    parser = _Parser(text, fresh)
    nodes = parser.layers(0)
    if parser.token is not None:
        raise ShorthandError("there is an unmatched closing parenthesis")
    return nodes


@dataclass(frozen=True)
class Completion:
    """The layer name being typed at the end of a text, and what it may become."""

    start: int
    """Where the name starts in the text."""
    kinds: tuple[type[Layer], ...]
    """The types that match so far, best first."""


def find_completion(text: str) -> Completion | None:
    """Completions for the layer name being typed; None if it is complete or no type matches."""
    start = max((match.end() for match in re.finditer(r"[,;>→(]\s*", text)), default=0)
    typed = text[start:]
    # After a space come parameters, unless the words so far are not a complete name yet.
    is_name = re.fullmatch(r"[A-Za-z]\w*(?: \w+)*", typed)
    if is_name is None or (" " in typed and not _kinds(typed.lower().split())):
        return None
    kinds = tuple(search_layer_types(typed))
    return Completion(start, kinds) if kinds else None


class _Parser:
    """A recursive descent parser for lists of layers."""

    def __init__(self, text: str, fresh: IdGenerator) -> None:
        text = _PAIR.sub(r"\1x", _PAIR_IN_BRACKETS.sub(r" \1x\2 ", text))
        self._tokens = iter(_TOKEN.findall(re.sub(r"\s*=\s*", "=", text)))
        self._fresh = fresh
        self.token: str | None = None
        self._advance()

    def _advance(self) -> None:
        self.token = next(self._tokens, None)

    def layers(self, depth: int) -> list[Node]:
        """Parses up to the end of the text or to a closing parenthesis."""
        if depth > MAXIMUM_DEPTH:
            raise ShorthandError(f"groups can be nested at most {MAXIMUM_DEPTH} deep")
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
                raise ShorthandError(f"{layer.type_name()} is not a group and cannot contain layers")
            self._advance()
            children = self.layers(depth + 1)
            # A parenthesis that is still open at the end of the text is closed there.
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


def _without_comma(number: str) -> str:
    value = parse_number(number, whole=True)
    if value is None:
        raise ShorthandError(f"“{shorten(number)}” is not a number; leave a space between two numbers")
    return str(value)


def _layer(words: Sequence[str]) -> Layer:
    if not words:
        raise ShorthandError("a layer must start with its name, such as conv, pool or dense")
    lower = [word.lower() for word in words]
    for length in range(min(_MAXIMUM_NAME_WORDS, len(words)), 0, -1):
        kinds = _kinds(lower[:length])
        if kinds:
            kind = kinds[0]
            # A value that stands for its type, such as relu for Activation, is also its first parameter.
            is_value = length == 1 and any(value.startswith(lower[0]) for value in type_values(kind))
            return _ParameterParser(kind).parse(words if is_value else words[length:])
    examples = ", ".join(list(layer_types())[:3])
    raise ShorthandError(
        f"unknown layer “{shorten(words[0])}”; try {examples} or another name in the palette"
    )


def _kinds(words: Sequence[str]) -> list[type[Layer]]:
    """The types whose name these words are or are part of, best first."""
    if any(_NUMBER.fullmatch(word) or _NUMBER_WITH_COMMA.fullmatch(word) for word in words):
        return []
    ranked = [(match_rank(kind, words), kind) for kind in layer_types().values()]
    # Later words of a name are never values: in `activation relu` the name is `activation`.
    named = [
        (rank, kind)
        for rank, kind in ranked
        if rank < NAME_MATCH and not (len(words) > 1 and _choice(kind, words[-1]) is not None)
    ]
    return [kind for _, kind in sorted(named, key=lambda pair: pair[0])]


def _choice(kind: type[Layer], word: str) -> tuple[Choice, str] | None:
    """The parameter that can have the value `word`, and that value, which three letters may abbreviate."""
    choices = [parameter for parameter in parameters(kind) if isinstance(parameter, Choice)]
    pairs = [(parameter, value) for parameter in choices for value in parameter.choices]
    exact = [pair for pair in pairs if pair[1] == word]
    near = [pair for pair in pairs if len(word) > 2 and pair[1].startswith(word)]
    return exact[0] if exact else near[0] if len(near) == 1 else None


class _ParameterParser:
    """Collects the parameter values of one layer, word by word."""

    def __init__(self, kind: type[Layer]) -> None:
        self._kind = kind
        self._values: dict[str, Any] = {}
        self._named: Parameter | None = None
        """The parameter named by the previous word, whose value comes next."""
        self._without = False
        """Whether the previous word was `no` or `without`."""

    def parse(self, words: Sequence[str]) -> Layer:
        """The layer with these parameters. Raises ShorthandError with the first word that has no meaning."""
        for word in words:
            self._word(word.lower())
        if self._named is not None and not isinstance(self._named, Flag):
            raise ShorthandError(f"the value of {_plain(self._named)} is missing")
        return self._kind(**self._values)

    def _word(self, word: str) -> None:
        named, self._named = self._named, None
        name, _, value = word.partition("=")
        joined = _LETTERS_AND_NUMBER.fullmatch(word)
        if value:
            self._set(self._required(name), value)
        elif _NUMBER_WITH_COMMA.fullmatch(word):
            self._number_with_comma(named, word)
        elif named is not None and (_is_number(word) or isinstance(named, Choice)):
            self._set(named, word)
        elif _is_number(word):
            self._set(self._next(word), word)
        elif word in _WITHOUT:
            self._without = True
        elif (found := _choice(self._kind, word)) is not None:
            self._values[found[0].name] = found[1]
        elif joined and not self._is_named(word) and (parameter := self._parameter(joined[1])) is not None:
            self._set(parameter, joined[2])
        else:
            self._name(word)

    def _number_with_comma(self, named: Parameter | None, word: str) -> None:
        """Handles `0,3`, `1,024` and `3,3`. In `64,3` two parameters in a row have an integer each."""
        head, _, rest = word.partition(",")
        parameter = named or self._next(head)
        is_row = named is None and isinstance(parameter, Integer) and head.isdecimal()
        if is_row and not isinstance(parse_number(word, whole=True), int) and self._takes_sizes(parameter):
            self._set(parameter, head)
            self._word(rest)
        else:
            self._set(parameter, word)

    def _takes_sizes(self, before: Parameter) -> bool:
        """Whether the parameter after `before` is of integers too."""
        rest = [parameter for parameter in self._numeric if parameter is not before]
        return bool(rest) and isinstance(rest[0], Pair | Integer)

    def _name(self, word: str) -> None:
        """Handles the name of a parameter: it sets a flag; for others the next word is the value."""
        without = self._without or word.startswith(_WITHOUT)
        bare = word if self._without else re.sub(rf"^({'|'.join(_WITHOUT)})[-_]?", "", word) or word
        parameter = self._parameter(bare) or self._required(word)
        self._without = False
        if isinstance(parameter, Flag):
            self._values[parameter.name] = not without
        else:
            self._named = parameter

    def _is_named(self, word: str) -> bool:
        """Whether the word is a part of a parameter's name, such as `l2`, which could be `l` and a number."""
        return any(word in parameter.name.split("_") for parameter in parameters(self._kind))

    def _required(self, name: str) -> Parameter:
        parameter = self._parameter(name)
        if parameter is None:
            raise ShorthandError(
                f"{self._kind.type_name()} has no parameter “{shorten(name)}”; it takes {_taken(self._kind)}"
            )
        return parameter

    def _parameter(self, word: str) -> Parameter | None:
        """The first parameter whose name or label starts with `word`, else one with a later such word."""
        flat = word.replace("_", "")
        known = parameters(self._kind)
        for parameter in known:
            if parameter.name.replace("_", "").startswith(flat) or parameter.label.lower().startswith(word):
                return parameter
        inner = (each for each in known if any(part.startswith(flat) for part in each.name.split("_")))
        return next(inner, None)

    def _next(self, word: str) -> Parameter:
        """The parameter for a number without a name: the next one that takes such a number."""
        free = self._numeric
        if not _is_whole(word):
            free = [parameter for parameter in free if _fits(parameter, word)] or free
        if not free:
            raise ShorthandError(f"{self._kind.type_name()} has no parameter left for “{shorten(word)}”")
        return free[0]

    @property
    def _numeric(self) -> list[Parameter]:
        """The parameters that take numbers and have none yet."""
        return [
            parameter
            for parameter in parameters(self._kind)
            if not isinstance(parameter, Choice | Flag) and parameter.name not in self._values
        ]

    def _set(self, parameter: Parameter, word: str) -> None:
        if isinstance(parameter, Pair) and _SIZES_WITH_COMMA.fullmatch(word):
            word = word.replace(",", "x")
        elif _NUMBER_WITH_COMMA.fullmatch(word):
            word = _without_comma(word)
        try:
            self._values[parameter.name] = parameter.validate(_value(parameter, word))
        except ParameterError as error:
            raise ShorthandError(f"{_plain(parameter)}: {error}") from None


def _fits(parameter: Parameter, word: str) -> bool:
    """Whether the parameter takes `word`: either sizes like `3x5`, or a number that is not an integer."""
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
    # A number this long is out of any range, and int() raises ValueError above 4,300 digits.
    return int(word[:100]) if _is_whole(word) else float(word)


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal()


def _is_number(word: str) -> bool:
    return bool(_NUMBER.fullmatch(word) or _SIZES.fullmatch(word))


def _plain(parameter: Parameter) -> str:
    return parameter.name.replace("_", " ")


def _taken(kind: type[Layer]) -> str:
    return ", ".join(map(_plain, parameters(kind))) or "none"
