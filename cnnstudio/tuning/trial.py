"""One training of a search: what it had, and what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from cnnstudio.training.events import Scores
from cnnstudio.tuning.space import Space, Values

State = Literal["unfinished", "completed", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """`number` counts from 1, which has nothing changed."""

    number: int
    values: Values
    state: State = "unfinished"
    scores: Mapping[int, Scores] = field(default_factory=dict)
    """On the validation images, after each epoch."""
    seconds: float = 0.0
    reason: str = ""
    """How it ended, in one sentence."""

    @property
    def best(self) -> Scores | None:
        """Those of its best epoch, whose weights it keeps."""
        return max(self.scores.values(), key=rank, default=None)

    def ended(self, state: State, reason: str, scores: Mapping[int, Scores], seconds: float = 0.0) -> Trial:
        """The same trial, over."""
        return dataclasses.replace(self, state=state, reason=reason, scores=scores, seconds=seconds)

    def to_json(self, space: Space) -> dict[str, Any]:
        return {
            "number": self.number,
            "values": space.values_to_json(self.values),
            "state": self.state,
            "scores": {str(epoch): [each.loss, each.accuracy] for epoch, each in self.scores.items()},
            "seconds": self.seconds,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, content: Any, space: Space) -> Trial:
        """What `to_json` wrote. Raises SearchError, KeyError, TypeError, ValueError or AttributeError."""
        if content["state"] not in get_args(State):
            raise ValueError
        return cls(
            int(content["number"]),
            space.values_from_json(content["values"]),
            content["state"],
            {
                int(epoch): Scores(float(loss), float(accuracy))
                for epoch, (loss, accuracy) in content["scores"].items()
            },
            float(content["seconds"]),
            str(content["reason"]),
        )


def rank(scores: Scores) -> tuple[float, float]:
    """By accuracy, then by loss, as a run tells its best epoch."""
    return scores.accuracy, -scores.loss
