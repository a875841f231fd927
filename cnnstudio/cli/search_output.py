"""What `cnnstudio search` prints: a JSON line or table row for each trial, and a summary at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.cli.output import LiveLine, echo, print_json, table
from cnnstudio.core.formatting import format_duration, format_percent, pluralize
from cnnstudio.training.events import EpochEnded, Event, Finished, Progress
from cnnstudio.tuning.space import Dimension, Range
from cnnstudio.tuning.study import BEST_DESIGN, BEST_RECIPE, Study, with_validation_split
from cnnstudio.tuning.trial import Trial
from cnnstudio.tuning.verdict import SearchVerdict

_BEST_LISTED = 5
"""Trials in the final table."""


class JsonReport:
    """Prints one line of JSON per trial, and one for the whole search."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def started(self) -> None:
        pass

    def training(self, trial: Trial, event: Event) -> None:
        pass

    def ended(self, trial: Trial) -> None:
        print_json({"event": "TrialEnded", **self._facts(trial), "best_so_far": trial == self._study.best})

    def repeated(self, trial: Trial, seed: int, finished: Finished) -> None:
        test = finished.to_json()["test"]
        print_json(
            {"event": "Repeated", "trial": trial.number, "seed": seed, "test": test, "run": finished.run}
        )

    def finished(
        self, reason: str, stopped: bool, importances: Mapping[str, float], verdict: SearchVerdict
    ) -> None:
        study, best = self._study, self._study.best
        print_json(
            {
                "event": "SearchEnded",
                "outcome": "stopped" if stopped else "completed" if best else "failed",
                "reason": reason,
                "trials": {state: _count(study, state) for state in _STATES},
                "best": self._facts(best) if best else None,
                "importances": dict(importances),
                "test": verdict.to_json(),
                "conclusion": verdict.text,
                "validation_share": with_validation_split(study.recipe).validation_share,
                "folder": str(study.folder),
                "design": str(study.folder / BEST_DESIGN) if best else None,
                "recipe": str(study.folder / BEST_RECIPE) if best else None,
            }
        )

    def _facts(self, trial: Trial) -> dict[str, Any]:
        best = trial.best_scores
        return {
            "trial": trial.number,
            "state": trial.state,
            "values": self._study.plan.space.values_to_json(trial.values),
            "validation": {"loss": best.loss, "accuracy": best.accuracy} if best else None,
            "epochs": len(trial.scores),
            "seconds": trial.seconds,
            "reason": trial.reason,
            "run": str(self._study.trial_folder(trial)),
        }


class TextReport:
    """Prints for people: a table, and on terminals a status line below it."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._line = LiveLine()
        self._headings = ("Trial", "Validation", "Epochs", "Time", *study.plan.space.names)

    def started(self) -> None:
        study = self._study
        echo("\n".join(map(_describe_dimension, study.plan.space.dimensions)))
        trials, epochs = pluralize(study.plan.trials, "trial"), pluralize(study.recipe.epochs, "epoch")
        echo(f"{trials} of {epochs}. Trials are compared on {_validation_images(study)}.\n")
        echo(self._row(self._headings))
        for trial in study.ended:
            self.ended(trial)

    def training(self, trial: Trial, event: Event) -> None:
        if isinstance(event, Progress | EpochEnded):
            values = ", ".join(self._values(trial))
            self._line.show(f"Trial {trial.number} ({values}) · {pluralize(int(event.epoch), 'epoch')} done")

    def ended(self, trial: Trial) -> None:
        self._line.clear()
        notes = {"completed": "", "pruned": "pruned", "failed": f"failed: {trial.reason}"}
        note = "best so far" if trial == self._study.best else notes.get(trial.state, "")
        echo(f"{self._row(self._cells(trial))}  {note}".rstrip())

    def repeated(self, trial: Trial, seed: int, finished: Finished) -> None:
        self._line.clear()
        test = format_percent(finished.test.accuracy) if finished.test else finished.reason
        echo(f"Trial {trial.number} with seed {seed}: {test} on the test images")

    def finished(
        self, reason: str, stopped: bool, importances: Mapping[str, float], verdict: SearchVerdict
    ) -> None:
        self._line.clear()
        study = self._study
        states = [f"{_count(study, state)} {state}" for state in _STATES if _count(study, state)]
        lines = [f"\n{reason} {', '.join(states)}." if states else f"\n{reason}"]
        if study.ranked:
            cells = [self._cells(trial) for trial in study.ranked[:_BEST_LISTED]]
            lines.append(f"\n{table(self._headings, cells, right=range(len(self._headings)))}")
        if importances:
            shares = [f"{name} {100 * share:.0f}%" for name, share in importances.items()]
            lines.append(f"\nImportance: {', '.join(shares)}.")
        lines.append(f"\n{verdict.text}")
        if study.best:
            lines.append(f"\nBest: {study.folder / BEST_DESIGN}, {study.folder / BEST_RECIPE}")
        if stopped:
            lines.append(f"To resume: --run {study.folder} --resume")
        echo("\n".join(lines))

    def _cells(self, trial: Trial) -> Sequence[str]:
        accuracy = format_percent(trial.best_scores.accuracy) if trial.best_scores else ""
        epochs, seconds = str(len(trial.scores)), format_duration(trial.seconds)
        return (str(trial.number), accuracy, epochs, seconds, *self._values(trial))

    def _values(self, trial: Trial) -> Sequence[str]:
        return self._study.plan.space.format_values(trial.values)

    def _row(self, cells: Sequence[str]) -> str:
        widths = (max(len(head), 8) for head in self._headings)
        return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


_STATES = ("completed", "pruned", "failed")


def _count(study: Study, state: str) -> int:
    return sum(trial.state == state for trial in study.trials)


def _validation_images(study: Study) -> str:
    share = f"{100 * with_validation_split(study.recipe).validation_share:g}% of the training images"
    if study.recipe.validation_share:
        return f"the {share} that the recipe sets aside"
    return f"{share}, set aside so that the test images play no part in the search"


def _describe_dimension(dimension: Dimension) -> str:
    """`learning_rate: 0.005 to 0.5 on a log scale`."""
    text = dimension.setting.parameter.text
    if not isinstance(dimension, Range):
        return f"{dimension.setting.name}: {', '.join(map(text, dimension.choices))}"
    step = f" in steps of {dimension.step}" if dimension.step not in (None, 1) else ""
    scale = " on a log scale" if dimension.log else ""
    return f"{dimension.setting.name}: {text(dimension.low)} to {text(dimension.high)}{step}{scale}"
