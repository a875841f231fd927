"""The options of a program's command line, as `argparse` gives them if the program is started without any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnstudio.interchange.interpreter.values import UNKNOWN
from cnnstudio.layers.code import Unknown


@dataclass(eq=False)
class ArgumentParser:
    """`argparse.ArgumentParser()`, with the defaults of the options that were added."""

    values: dict[str, Any] = field(default_factory=dict)

    def call(self, name: str, positional: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """The value of a method of the parser."""
        match name:
            case "add_argument":
                self._add(positional, keywords)
                return UNKNOWN
            case "set_defaults":
                self.values |= keywords
                return None
            case "add_argument_group" | "add_mutually_exclusive_group":
                return self
            case "parse_args":
                return Namespace(self.values)
            case "parse_known_args":
                return Namespace(self.values), []
        return UNKNOWN

    def _add(self, positional: Sequence[Any], keywords: Mapping[str, Any]) -> None:
        flags = [each for each in positional if isinstance(each, str)]
        if not flags:
            return
        named = next((flag for flag in flags if flag.startswith("--")), flags[0])
        name = keywords.get("dest") or named.lstrip("-").replace("-", "_")
        if not isinstance(name, str):
            return
        if not named.startswith("-") and keywords.get("nargs") not in ("?", "*"):
            self.values[name] = Unknown(name)  # a positional argument, which has to be given
        elif keywords.get("required") is True:
            self.values[name] = Unknown(name)
        elif "default" in keywords:
            self.values[name] = keywords["default"]
        else:
            actions = {"store_true": False, "store_false": True}
            action = keywords.get("action")
            self.values[name] = actions.get(action) if isinstance(action, str) else None


@dataclass(eq=False)
class Namespace:
    """An object that only has attributes, such as the result of `parse_args()`."""

    names: dict[str, Any]
