"""What `cnnstudio search` prints: a JSON line for each trial, or a table that grows, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.cli.output import LiveLine, print_json, table
from cnnstudio.core.formatting import duration, percent, plural
from cnnstudio.training.events import EpochEnded, Event, Finished, Progress
from cnnstudio.tuning.space import Dimension, Range
from cnnstudio.tuning.study import BEST_DESIGN, BEST_RECIPE, Study, searched
from cnnstudio.tuning.trial import Trial
from cnnstudio.tuning.verdict import Conclusion

_SHOWN = 5
"""Trials in the table at the end."""


class JsonReport:
    """One JSON object a line for each trial, and one for the whole search."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def begun(self) -> None:
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
        self, reason: str, stopped: bool, importances: Mapping[str, float], conclusion: Conclusion
    ) -> None:
        study, best = self._study, self._study.best
        print_json(
            {
                "event": "SearchEnded",
                "outcome": "stopped" if stopped else "completed" if best else "failed",
                "reason": reason,
                "trials": {state: _count(study, state) for state in ("completed", "pruned", "failed")},
                "best": self._facts(best) if best else None,
                "importances": dict(importances),
                "test": conclusion.to_json(),
                "conclusion": conclusion.text,
                "validation_share": searched(study.recipe).validation_share,
                "folder": str(study.folder),
                "design": str(study.folder / BEST_DESIGN) if best else None,
                "recipe": str(study.folder / BEST_RECIPE) if best else None,
            }
        )

    def _facts(self, trial: Trial) -> dict[str, Any]:
        best = trial.best
        return {
            "trial": trial.number,
            "state": trial.state,
            "values": self._study.plan.space.values_to_json(trial.values),
            "validation": {"loss": best.loss, "accuracy": best.accuracy} if best else None,
            "epochs": len(trial.scores),
            "seconds": trial.seconds,
            "reason": trial.reason,
            "run": str(self._study.place(trial)),
        }


class TextReport:
    """For people. Where the output is no terminal, only whole lines come."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._line = LiveLine()
        self._heads = ("Trial", "Validation", "Epochs", "Time", *study.plan.space.names)

    def begun(self) -> None:
        study = self._study
        print("\n".join(map(_searched, study.plan.space.dimensions)))
        share = f"{100 * searched(study.recipe).validation_share:g}% of the training images"
        kept = f"{share} are set aside to choose by"
        if not study.recipe.validation_share:
            kept += ", which the recipe does not do: so the test images stay unseen"
        print(f"{plural(study.plan.trials, 'trial')} of {plural(study.recipe.epochs, 'epoch')}; {kept}.\n")
        print(self._row(self._heads), flush=True)
        for trial in study.ended:
            self.ended(trial)

    def training(self, trial: Trial, event: Event) -> None:
        if isinstance(event, Progress | EpochEnded):
            values = ", ".join(self._values(trial))
            self._line.show(f"Trial {trial.number} ({values}) · epoch {int(event.epoch)} is done")

    def ended(self, trial: Trial) -> None:
        self._line.clear()
        notes = {"completed": "", "pruned": "ended early", "failed": f"failed: {trial.reason}"}
        note = "best so far" if trial == self._study.best else notes.get(trial.state, "")
        print(f"{self._row(self._cells(trial))}  {note}".rstrip(), flush=True)

    def repeated(self, trial: Trial, seed: int, finished: Finished) -> None:
        self._line.clear()
        test = percent(finished.test.accuracy) if finished.test else finished.reason
        print(f"Trial {trial.number} with seed {seed}: {test} on the test images", flush=True)

    def finished(
        self, reason: str, stopped: bool, importances: Mapping[str, float], conclusion: Conclusion
    ) -> None:
        self._line.clear()
        study = self._study
        states = [
            f"{_count(study, state)} {words}" for state, words in _STATES.items() if _count(study, state)
        ]
        lines = [f"\n{reason} {', '.join(states)}." if states else f"\n{reason}"]
        if study.ranked:
            cells = [self._cells(trial) for trial in study.ranked[:_SHOWN]]
            lines.append(f"\n{table(self._heads, cells, right=range(len(self._heads)))}")
        if importances:
            shares = [f"{name} {100 * share:.0f}%" for name, share in importances.items()]
            lines.append(f"\nWhat made the difference: {', '.join(shares)}.")
        lines.append(f"\n{conclusion.text}")
        if study.best:
            lines.append(f"\nBest: {study.folder / BEST_DESIGN}, {study.folder / BEST_RECIPE}")
        if stopped:
            lines.append(f"To go on: --run {study.folder} --resume")
        print("\n".join(lines), flush=True)

    def _cells(self, trial: Trial) -> Sequence[str]:
        accuracy = percent(trial.best.accuracy) if trial.best else ""
        epochs, seconds = str(len(trial.scores)), duration(trial.seconds)
        return (str(trial.number), accuracy, epochs, seconds, *self._values(trial))

    def _values(self, trial: Trial) -> Sequence[str]:
        return self._study.plan.space.text(trial.values)

    def _row(self, cells: Sequence[str]) -> str:
        widths = (max(len(head), 8) for head in self._heads)
        return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


_STATES = {"completed": "came to their end", "pruned": "ended early", "failed": "failed"}


def _count(study: Study, state: str) -> int:
    return sum(trial.state == state for trial in study.trials)


def _searched(dimension: Dimension) -> str:
    """`learning_rate: 0.005 to 0.5, logarithmically`."""
    text = dimension.target.parameter.text
    if not isinstance(dimension, Range):
        return f"{dimension.target.name}: {', '.join(map(text, dimension.choices))}"
    step = f" in steps of {dimension.step}" if dimension.step not in (None, 1) else ""
    scale = ", logarithmically" if dimension.log else ""
    return f"{dimension.target.name}: {text(dimension.low)} to {text(dimension.high)}{step}{scale}"
