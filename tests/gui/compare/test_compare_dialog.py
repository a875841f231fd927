"""The dialog that compares the open design with another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.file import write_design
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.gui.compare.designs import Design, known_designs
from cnnstudio.gui.compare.dialog import CompareDialog
from cnnstudio.gui.compare.entry_list import EntryList
from cnnstudio.gui.compare.seed_comparison import SeedComparison
from cnnstudio.gui.document.project import Project
from cnnstudio.runs.comparing.comparison import CompletedRuns
from cnnstudio.runs.library.finding import list_runs
from tests.gui.fakes import FakeSession
from tests.runs.written import trained

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def lesson() -> Network:
    return templates()["lesson-32"].network


@pytest.fixture
def project(lesson: Network) -> Project:
    return Project(edits.remove(lesson, ["conv2d_2"]))


@pytest.fixture
def dialog(project: Project, qtbot: QtBot) -> Iterator[CompareDialog]:
    dialog = CompareDialog(project, list(known_designs(None, None, [])), seeds())
    qtbot.addWidget(dialog)
    with qtbot.waitActive(dialog):
        dialog.show()
    yield dialog
    dialog.close()


def seeds() -> SeedComparison:
    return SeedComparison(FakeSession())


def rows(dialog: CompareDialog) -> list[str]:
    found = dialog.findChild(EntryList)
    return [found.item(number).text() for number in range(found.count())]


def sentence(dialog: CompareDialog) -> str:
    return dialog.findChild(QLabel, "compareSummary").text()


def costs(dialog: CompareDialog, name: str) -> list[str]:
    return [dialog.findChild(QLabel, f"compare_{name}_{column}").text() for column in (1, 2, 3)]


def test_every_difference_has_a_row_and_costs_are_side_by_side(dialog: CompareDialog) -> None:
    assert sentence(dialog) == "1 difference: 1 removed."
    assert rows(dialog) == ["Conv2D (64 filters 3 × 3, relu), formerly layer 3, was removed."]
    assert costs(dialog, "layers") == ["7", "6", ""]
    before, now, change = costs(dialog, "parameters")
    assert (before, now) == ("315,722", "203,018")
    assert change == "\N{MINUS SIGN}35.7%"


def test_return_compares_and_opens_no_file(
    dialog: CompareDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *arguments: opened.append(1) or ("", ""))
    choice = dialog.findChild(QComboBox, "compareWith")
    before = sentence(dialog)
    choice.setFocus()
    choice.setCurrentIndex(1)
    assert sentence(dialog) == before
    qtbot.keyClick(choice, Qt.Key.Key_Return)
    assert sentence(dialog) != before
    assert dialog.isVisible()
    assert opened == []


def test_the_comparison_follows_the_edits(
    dialog: CompareDialog, project: Project, lesson: Network, qtbot: QtBot
) -> None:
    project.edit("add Conv2D", lesson)
    qtbot.waitUntil(lambda: sentence(dialog) == "The two designs are the same.")
    assert rows(dialog) == []


def test_selecting_a_row_selects_its_layer(
    dialog: CompareDialog, project: Project, lesson: Network, qtbot: QtBot
) -> None:
    project.edit("switch off", edits.replace(lesson, "dense_1", enabled=False))
    qtbot.waitUntil(lambda: rows(dialog) == ["Layer 6, Dense, was disabled."])
    found = dialog.findChild(EntryList)
    found.setFocus()
    qtbot.keyClick(found, Qt.Key.Key_Down)
    found.setCurrentRow(0)
    assert project.selection == ("dense_1",)


def test_another_design_can_be_chosen(dialog: CompareDialog, lesson: Network) -> None:
    choice = dialog.findChild(QComboBox, "compareWith")
    titles = [choice.itemText(number) for number in range(choice.count())]
    assert titles == [f"Template: {template.title}" for template in templates().values()]
    choice.setCurrentIndex(2)
    choice.activated.emit(2)
    assert len(rows(dialog)) > 1


def test_a_file_can_be_opened_and_an_invalid_one_is_explained(
    dialog: CompareDialog, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    good, bad = tmp_path / "good.cnn.json", tmp_path / "bad.cnn.json"
    write_design(good, project.network)
    bad.write_text("{}")
    for path, expected in (
        (good, "The two designs are the same."),
        (bad, "bad.cnn.json: this is not a design"),
    ):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, path=path: (str(path), ""))
        qtbot.mouseClick(dialog.findChild(QPushButton, "compareFile"), LEFT)
        assert sentence(dialog).startswith(expected)
    assert rows(dialog) == []
    assert not dialog.findChild(QPushButton, "copyDifferences").isEnabled()


def test_the_comparison_can_be_copied(dialog: CompareDialog, qtbot: QtBot) -> None:
    qtbot.mouseClick(dialog.findChild(QPushButton, "copyDifferences"), LEFT)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0] == "Lesson CNN → Lesson CNN"
    assert lines[1].endswith("was removed")
    assert any(line.startswith("Parameters: 315,722 → 203,018") for line in lines)


def test_saved_version_and_run_come_first(lesson: Network, tmp_path: Path) -> None:
    path, run, other = tmp_path / "mine.cnn.json", tmp_path / "run-3", tmp_path / "other.cnn.json"
    for target in (path, run / "design.cnn.json", other):
        target.parent.mkdir(exist_ok=True)
        write_design(target, lesson)
    designs: list[Design] = list(known_designs(path, run, [path, other]))
    assert [design.title for design in designs[:3]] == [
        "Saved version: mine.cnn.json",
        "Trained design: run run-3",
        "File: other.cnn.json",
    ]
    assert all(design.read().nodes for design in designs)


def test_results_are_side_by_side_with_a_verdict(
    project: Project, lesson: Network, tmp_path: Path, qtbot: QtBot
) -> None:
    trained(tmp_path / "lesson", lesson, (0.70, 0.71, 0.69))
    trained(tmp_path / "edited", project.network, (0.60, 0.61, 0.62))
    read = lambda: CompletedRuns(run for name in ("lesson", "edited") for run in list_runs(tmp_path / name))  # noqa: E731
    dialog = CompareDialog(project, list(known_designs(None, None, [])), seeds(), None, read)
    qtbot.addWidget(dialog)
    dialog.show()
    verdict = dialog.findChild(QLabel, "compareVerdict")
    qtbot.waitUntil(lambda: verdict.isVisible())
    assert costs(dialog, "test_accuracy") == [
        "70.0 ± 1.0% (3 seeds)",
        "61.0 ± 1.0% (3 seeds)",
        "\N{MINUS SIGN}9.0 points",
    ]
    assert verdict.text().startswith(
        "The current accuracy is 9.0 points lower, a significant difference (p = "
    )
    choice = dialog.findChild(QComboBox, "compareWith")
    assert [choice.itemText(row) for row in range(2)] == [
        "Run mine-0: 70.0 ± 1.0%, 3 seeds",
        "Run mine-0: 61.0 ± 1.0%, 3 seeds",
    ]
    assert choice.currentText() == "Template: Lesson CNN, 32 × 32"
    choice.setCurrentIndex(1)
    choice.activated.emit(1)
    assert costs(dialog, "test_accuracy")[:2] == ["61.0 ± 1.0% (3 seeds)"] * 2
    assert "the same training except for the seed" in verdict.text()
    project.edit("switch off", edits.replace(project.network, "dense_1", enabled=False))
    qtbot.waitUntil(lambda: costs(dialog, "test_accuracy")[1] == "not trained yet")
    assert not verdict.isVisible()
    dialog.close()
