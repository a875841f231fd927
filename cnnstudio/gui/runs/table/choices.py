"""What the user chose to see of the table of runs, and how it is remembered."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass

from cnnstudio.runs.library.arrangement import SAME_TRAINING, Query
from cnnstudio.runs.library.columns import column


@dataclass(frozen=True)
class TableChoices:
    """The order, the groups and the columns. Not the filter: runs that it hides would be missed."""

    sort: str = Query.sort
    """The key of a column."""
    is_reversed: bool = False
    group: str = ""
    """The key of a column, SAME_TRAINING, or empty for none."""
    columns: str = ""
    """The key of a set of columns; empty for the usual one."""

    @property
    def query(self) -> Query:
        return Query(sort=self.sort, is_reversed=self.is_reversed, group=self.group)

    def to_text(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_text(cls, text: str) -> TableChoices:
        """The choices that `to_text` wrote; what is missing or not understood is as by default."""
        content: object = None
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(text)
        if not isinstance(content, dict):
            return cls()
        texts = {name: str(content.get(name) or "") for name in ("sort", "group", "columns")}
        if not _is_column(texts["sort"]):
            texts["sort"] = cls.sort
        if texts["group"] != SAME_TRAINING and not _is_column(texts["group"]):
            texts["group"] = ""
        return cls(**texts, is_reversed=content.get("is_reversed") is True)


def _is_column(key: str) -> bool:
    with contextlib.suppress(KeyError):
        return column(key).key == key
    return False
