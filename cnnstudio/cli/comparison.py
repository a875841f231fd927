"""`cnnstudio runs compare`: two runs side by side, and whether their results differ significantly."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from cnnstudio.cli.output import table
from cnnstudio.core.formatting import as_printed, format_percent, format_value
from cnnstudio.core.parameters import parameters
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.diff import diff
from cnnstudio.runs.comparing.comparison import compare_trainings
from cnnstudio.runs.comparing.pair import AlignedEpoch, ComparedRun, RunPair
from cnnstudio.runs.comparing.seeds import find_seed_runs
from cnnstudio.runs.comparing.significance import format_accuracy
from cnnstudio.runs.library.finding import list_runs, runs_folder
from cnnstudio.runs.library.summary import SummaryReader
from cnnstudio.runs.run import Run
from cnnstudio.training.events import EpochEnded
from cnnstudio.training.recipe.live_changes import differences
from cnnstudio.training.recipe.recipe import Recipe

_MAX_ROWS = 20
"""Of the curves; JSON has all of them."""


class RunComparison:
    """Compares two runs, each together with the runs beside it that differ only in the seed."""

    def __init__(self, first: Run, second: Run, align: str = "epochs") -> None:
        """`align` is "epochs" or "images": what the curves are aligned by."""
        self.runs = (first, second)
        self._align = align
        reader = SummaryReader()
        compared = [ComparedRun.read(run.folder, reader) for run in self.runs]
        self._pair = RunPair(compared[0], compared[1], verdict="")
        self._diff = diff(first.network, second.network)
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
            "design": list(self._diff.lines()),
            "recipe": [
                {"field": name, "values": values}
                for name, *values in differences(*(run.recipe for run in self.runs))
            ],
            "align": self._align,
            "curves": [
                {"epoch": place, "runs": [_scores_json(each) for each in epochs]}
                for place, *epochs in self._aligned()
            ],
            "confusion": self._pair.change_of_confusion(),
        }

    def _aligned(self) -> list[AlignedEpoch]:
        return self._pair.aligned_epochs(self._pair.epoch_ratio if self._align == "images" else 1.0)

    def text(self) -> str:
        """A table of both runs, with the result below."""
        columns = [_description(run) for run in self.runs]
        rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
        rows = [[*row, "" if row[1] == row[2] else "≠"] for row in rows]
        if any(len(group) > 1 for group in self._groups):
            seeds = [self._all_seeds(index) for index in range(2)]
            rows.insert(1, ["All seeds", *seeds, ""])
        text = table(["", *(run.id for run in self.runs), ""], rows)
        parts = [text, self._design(), self._curves(), self._confusion(), self._comparison.text]
        return "\n\n".join(part for part in parts if part)

    def _design(self) -> str:
        lines = self._diff.lines()
        if self._diff.is_empty:
            return f"{lines[0]}."
        return "\n".join(["Design, from the first to the second:", *(f"  {line}" for line in lines)])

    def _curves(self) -> str:
        """Validation loss and accuracy of both at the same places; of long runs some of them."""
        rows = self._aligned()
        if not rows:
            return "Neither of the runs has a complete epoch."
        step = -(-len(rows) // _MAX_ROWS)
        shown = [row for number, row in enumerate(rows, 1) if number % step == 0 or number == len(rows)]
        images = self._pair.first.train_images
        by_images = self._align == "images" and images > 0
        texts = [
            [
                f"{place * images:,.0f}" if by_images else f"{place:g}",
                *(text for each in epochs for text in _scores(each)),
            ]
            for place, *epochs in shown
        ]
        head = [
            "Images seen" if by_images else "Epoch",
            "First: loss",
            "accuracy",
            "Second: loss",
            "accuracy",
        ]
        return f"Validation\n{table(head, texts, right=range(5))}"

    def _confusion(self) -> str:
        return " ".join(self._pair.change_of_confusion())

    def _all_seeds(self, index: int) -> str:
        statistics, count = self._statistics[index], len(self._groups[index])
        return f"{format_accuracy(statistics)} ({count})" if statistics and count > 1 else ""


def _scores(epoch: EpochEnded | None) -> tuple[str, str]:
    if epoch is None:
        return "", ""
    return format_value(epoch.validation.loss), format_percent(epoch.validation.accuracy)


def _scores_json(epoch: EpochEnded | None) -> dict[str, Any] | None:
    if epoch is None:
        return None
    scores = epoch.validation
    return {"epoch": epoch.epoch, "loss": scores.loss, "accuracy": scores.accuracy}


def _reference(run: Run) -> str:
    """What `find_run` finds the run by from anywhere."""
    return run.id if run.folder.parent == runs_folder() else str(run.folder)


def _description(run: Run) -> dict[str, str]:
    analysis = analyze(run.network)
    best = SummaryReader().read(run.folder).best_accuracy
    recipe = {each.label: each.text(getattr(run.recipe, each.name)) for each in parameters(Recipe)}
    chosen = " (best epoch on the test images)" if run.is_chosen_on_test else ""
    return {
        "Test accuracy": f"{format_percent(run.test.accuracy)}{chosen}" if run.test else "",
        "Best validation accuracy": "" if best is None else format_percent(best),
        "Epochs": str(len(run.history)),
        "Network": run.name,
        "Parameters": f"{analysis.parameters:,}",
        "Multiply-adds": f"{analysis.macs:,}",
        "Data": run.dataset_name,
        **recipe,
    }
