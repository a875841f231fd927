"""`cnnstudio runs compare`: two runs side by side, and whether their results differ significantly."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from cnnstudio.cli.output import table
from cnnstudio.core.formatting import as_printed, format_percent
from cnnstudio.core.parameters import parameters
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.runs.comparison import compare_trainings
from cnnstudio.runs.library.summary import SummaryReader
from cnnstudio.runs.run import Run, list_runs, runs_folder
from cnnstudio.runs.seeds import find_seed_runs
from cnnstudio.runs.significance import format_accuracy
from cnnstudio.training.recipe.recipe import Recipe


class RunComparison:
    """Compares two runs, each together with the runs beside it that differ only in the seed."""

    def __init__(self, first: Run, second: Run) -> None:
        self.runs = (first, second)
        self._groups = find_seed_runs(first), find_seed_runs(second)
        folders = {run.folder.parent for run in self.runs} | {runs_folder()}
        known = (run for folder in sorted(folders) for run in list_runs(folder))
        names = (shlex.quote(as_printed(_reference(run))) for run in self.runs)
        self._comparison = compare_trainings(
            *self._groups,
            more=f"more seeds (cnnstudio runs compare {' '.join(names)} --seeds 3)",
            known=known,
        )
        self._statistics = self._comparison.statistics

    def to_json(self, facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """`facts` is the JSON of each run on its own."""
        described = [
            {
                **each,
                "recipe": run.recipe.to_json(),
                "repeats": [repeat.id for repeat in group],
                "accuracy": statistics.to_json() if statistics else None,
            }
            for each, run, group, statistics in zip(
                facts, self.runs, self._groups, self._statistics, strict=True
            )
        ]
        result = self._comparison.result
        return {
            "runs": described,
            "comparison": result.to_json() if result else None,
            "conclusion": self._comparison.text,
        }

    def text(self) -> str:
        """A table of both runs, with the result below."""
        columns = [_description(run) for run in self.runs]
        rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
        rows = [[*row, "" if row[1] == row[2] else "≠"] for row in rows]
        if any(len(group) > 1 for group in self._groups):
            seeds = [self._all_seeds(index) for index in range(2)]
            rows.insert(1, ["All seeds", *seeds, ""])
        text = table(["", *(run.id for run in self.runs), ""], rows)
        return f"{text}\n\n{self._comparison.text}" if self._comparison.text else text

    def _all_seeds(self, index: int) -> str:
        statistics, count = self._statistics[index], len(self._groups[index])
        return f"{format_accuracy(statistics)} ({count})" if statistics and count > 1 else ""


def _reference(run: Run) -> str:
    """What `find_run` finds the run by from anywhere."""
    return run.id if run.folder.parent == runs_folder() else str(run.folder)


def _description(run: Run) -> dict[str, str]:
    analysis = analyze(run.network)
    best = SummaryReader().read(run.folder).best_accuracy
    recipe = {each.label: each.text(getattr(run.recipe, each.name)) for each in parameters(Recipe)}
    return {
        "Test accuracy": format_percent(run.test.accuracy) if run.test else "",
        "Best validation accuracy": "" if best is None else format_percent(best),
        "Epochs": str(len(run.history)),
        "Network": run.name,
        "Parameters": f"{analysis.parameters:,}",
        "Multiply-adds": f"{analysis.macs:,}",
        "Data": run.dataset_name,
        **recipe,
    }
