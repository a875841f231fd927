"""A run's test accuracy in words, with what has to be known to trust it."""

from __future__ import annotations

from cnnstudio.core.formatting import format_percent
from cnnstudio.data.versions.evaluations import describe_evaluations, evaluation_count
from cnnstudio.runs.run import Run


def describe_accuracy(accuracy: float, *, is_chosen_on_test: bool, evaluations: int) -> str:
    """`test accuracy 93.4%, of the best epoch on the test images, evaluated 3 times`."""
    parts = (
        f"test accuracy {format_percent(accuracy)}",
        "of the best epoch on the test images" if is_chosen_on_test else "",
        describe_evaluations(evaluations),
    )
    return ", ".join(filter(None, parts))


def describe_tested_run(run: Run) -> str:
    """The same for a run, as a sentence; empty if it was not tested."""
    if run.test is None:
        return ""
    text = describe_accuracy(
        run.test.accuracy,
        is_chosen_on_test=run.is_chosen_on_test,
        evaluations=evaluation_count(run.data_version),
    )
    return f"{text[0].upper()}{text[1:]}."
