"""Two runs side by side, and whether their results differ by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnstudio.cli.output import table
from cnnstudio.core.formatting import percent
from cnnstudio.core.parameters import parameters
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.runs.comparison import judge
from cnnstudio.runs.run import Run
from cnnstudio.runs.seeds import repeats
from cnnstudio.runs.significance import in_words
from cnnstudio.training.recipe.recipe import Recipe


class Comparison:
    """Of two runs, each with those beside it that differ from it in the seed alone."""

    def __init__(self, first: Run, second: Run) -> None:
        self.runs = (first, second)
        self._repeats = repeats(first), repeats(second)
        self._judged = judge(*self._repeats, more="--seeds 5")
        self._spreads = self._judged.spreads

    def to_json(self, facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """`facts` is what is said of each run anywhere."""
        described = [
            {
                **each,
                "recipe": run.recipe.to_json(),
                "repeats": [repeat.id for repeat in group],
                "accuracy": spread.to_json() if spread else None,
            }
            for each, run, group, spread in zip(facts, self.runs, self._repeats, self._spreads, strict=True)
        ]
        verdict = self._judged.verdict.to_json() if self._judged.verdict else None
        return {"runs": described, "comparison": verdict}

    def text(self) -> str:
        """A table, and what it comes to."""
        columns = [_described(run) for run in self.runs]
        rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
        rows = [[*row, "" if row[1] == row[2] else "≠"] for row in rows]
        if any(len(group) > 1 for group in self._repeats):
            seeds = [self._seeds(index) for index in range(2)]
            rows.insert(1, ["All seeds", *seeds, ""])
        found = table(["", *(run.id for run in self.runs), ""], rows)
        return f"{found}\n\n{self._judged.sentence}" if self._judged.sentence else found

    def _seeds(self, index: int) -> str:
        spread, count = self._spreads[index], len(self._repeats[index])
        return f"{in_words(spread)} ({count})" if spread and count > 1 else ""


def _described(run: Run) -> dict[str, str]:
    analysis = analyze(run.network)
    history = run.history
    recipe = {each.label: each.text(getattr(run.recipe, each.name)) for each in parameters(Recipe)}
    return {
        "Test accuracy": percent(run.test.accuracy) if run.test else "",
        "Best validation": percent(max(epoch.validation.accuracy for epoch in history)) if history else "",
        "Epochs done": str(len(history)),
        "Network": run.name,
        "Parameters": f"{analysis.parameters:,}",
        "Multiply-adds": f"{analysis.macs:,}",
        "Data": run.dataset_name,
        **recipe,
    }
