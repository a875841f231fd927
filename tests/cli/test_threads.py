"""What the command line says when a run changes its number of threads, and which runs may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from cnnstudio.cli.main import main
from cnnstudio.cli.training_output import TextPrinter
from cnnstudio.runs.run import Run
from cnnstudio.training.events import ThreadsChanged
from cnnstudio.training.hardware import thread_policy
from tests.threads import ForcedThreads

Output = pytest.CaptureFixture[str]


def force(monkeypatch: pytest.MonkeyPatch, changes: Mapping[int, tuple[int, bool]]) -> None:
    monkeypatch.setattr(thread_policy, "make_policy", type("Forced", (ForcedThreads,), {"schedule": changes}))


@pytest.fixture
def train(design: Path, images: Path) -> list[str]:
    """The arguments of a training of two epochs."""
    options = ["--recipe", "lesson", "--batch-size", "8", "--epochs", "2", "--device", "cpu"]
    return ["train", str(design), "--data", str(images), *options]


def test_a_plain_training_may_change_its_threads(
    train: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    force(monkeypatch, {1: (1, False)})
    assert main([*train, "--run", str(tmp_path / "run"), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert Run.open(tmp_path / "run").metadata["adapts_threads"] is True
    usual = events[0]["threads"]
    changes = [event for event in events if event["event"] == "ThreadsChanged"]
    assert len(changes) == (usual > 1)


@pytest.mark.parametrize("options", [["--threads", "2"], ["--seeds", "2"]])
def test_a_training_with_a_given_number_or_several_seeds_keeps_its_threads(
    options: list[str], train: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    force(monkeypatch, {1: (1, False)})
    assert main([*train, *options, "--run", str(tmp_path / "runs"), "--json"]) == 0
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert "Finished" in events
    assert "ThreadsChanged" not in events


def test_only_what_is_kept_is_printed_and_once(capsys: Output) -> None:
    printer = TextPrinter()
    for threads, trial in ((1, True), (1, False), (2, True), (1, False), (2, True), (2, False)):
        printer(ThreadsChanged(100, 1.5, threads, 2, trial))
    printer(ThreadsChanged(900, 2.5, 2, 2))
    assert capsys.readouterr().out.splitlines() == [
        "Note: Another program is busy: training with 1 thread.",
        "Note: Training with 2 threads again.",
    ]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([], None),
        ([2], None),
        ([1], "Epoch 0.5: another program is busy: training with 1 thread."),
        (
            [1, 1, 2],
            "Epoch 0.5: another program is busy: training with 1 thread; "
            "epoch 1.5: training with 2 threads again.",
        ),
        ([1, 2] * 5, "The number of threads changed 10 times, because other programs were busy."),
    ],
)
def test_runs_show_names_the_changes(
    kept: list[int], expected: str | None, train: list[str], tmp_path: Path, capsys: Output
) -> None:
    run = tmp_path / "run"
    assert main([*train, "--run", str(run)]) == 0
    with open(run / "events.jsonl", "a") as file:
        for index, threads in enumerate(kept):
            for trial in (True, False):
                event = ThreadsChanged(index, 0.5 * (index + 1), threads, 2, trial)
                file.write(json.dumps(event.to_json()) + "\n")
    capsys.readouterr()
    assert main(["runs", "show", str(run)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "thread" in line]
    assert lines == ([expected] if expected else [])
