"""One trial of a search: its settings and its result."""

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
    """One training with certain values. Trial 1, the baseline, has the settings unchanged."""

    number: int
    values: Values
    state: State = "unfinished"
    scores: Mapping[int, Scores] = field(default_factory=dict)
    """On the validation set, after each epoch."""
    seconds: float = 0.0
    reason: str = ""
    """How it ended, in one sentence."""

    @property
    def best_scores(self) -> Scores | None:
        """The scores of the best epoch, whose weights the run keeps."""
        return max(self.scores.values(), key=score_key, default=None)

    def finish(self, state: State, reason: str, scores: Mapping[int, Scores], seconds: float = 0.0) -> Trial:
        """The same trial with its result."""
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
        """Reads `to_json`. Raises SearchError, KeyError, TypeError, ValueError or AttributeError."""
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


def score_key(scores: Scores) -> tuple[float, float]:
    """Sort key: by accuracy, then by loss, which label smoothing and the like change between trials."""
    return scores.accuracy, -scores.loss
