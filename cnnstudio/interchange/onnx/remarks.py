"""What is said of the nodes of a file; nodes of which the same is said are counted."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LABELED = re.compile(r"node “(?P<name>.*?)” \((?P<kind>[^)]*)\) (?P<reason>.*)", re.DOTALL)


def grouped(texts: Iterable[str]) -> list[str]:
    """The texts in their order, with one for all nodes of a kind that have the same reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for text in texts:
        match = _LABELED.fullmatch(text)
        key = (match["kind"], match["reason"]) if match else ("", text)
        found.setdefault(key, []).append(text)
    return [_one_for_all(same) for same in found.values()]


def _one_for_all(same: list[str]) -> str:
    distinct = list(dict.fromkeys(same))
    match = _LABELED.fullmatch(distinct[0])
    if match is None or len(distinct) == 1:
        return distinct[0]
    kind, name, reason = match["kind"], match["name"], match["reason"]
    return f"{len(distinct)} nodes ({kind}), the first of them “{name}”: each {reason}"
