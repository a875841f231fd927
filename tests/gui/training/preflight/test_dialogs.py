"""What is tried out before a training, in dialogs that compute on the session's thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import check
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.preflight.base_dialog import TrialDialog
from cnnstudio.gui.training.preflight.lr_range_dialog import RateDialog
from cnnstudio.gui.training.preflight.preflight_dialog import PreflightDialog
from cnnstudio.training.preflight.lr_range import RateTest
from cnnstudio.training.recipe.recipe import LESSON
from tests.gui.fakes import TINY, image_folder
from tests.gui.user_input import Hand

PATIENCE_MS = 60_000
FOUND = RateTest((0.001, 0.01, 0.1), (2.0, 1.5, 1.9), 100, 0.002, 0.001, 0.02)
CALLED_OFF = "Cancel"


@pytest.fixture
def project(qtbot: QtBot, tmp_path: Path) -> Project:
    project = Project(TINY)
    project.set_dataset(str(image_folder(tmp_path / "images")), None)
    project.set_recipe(LESSON.replace(batch_size=4))
    return project


@pytest.fixture
def session() -> Iterator[TrainingSession]:
    session = TrainingSession()
    yield session
    assert session.shutdown(10)


def opened(qtbot: QtBot, dialog: TrialDialog) -> Hand:
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.start()
    return Hand(dialog)


def until_done(qtbot: QtBot, dialog: TrialDialog) -> None:
    qtbot.waitUntil(lambda: not dialog.is_busy, timeout=PATIENCE_MS)


def words(dialog: TrialDialog, name: str) -> str:
    label = dialog.findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return label.text() if not label.isHidden() else ""


def test_the_rate_that_is_found_is_used_with_one_click(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    dialog = RateDialog(project, session)
    hand = opened(qtbot, dialog)
    assert dialog.is_busy
    assert not dialog.use.isEnabled()
    until_done(qtbot, dialog)
    assert words(dialog, "trialFailure") == ""
    assert dialog.use.isEnabled()
    rate = dialog.field.value()
    assert f"{rate:g}" in words(dialog, "rateWords")
    before = project.recipe
    hand.click_button("Use this rate")
    assert not dialog.isVisible()
    assert project.recipe == before.replace(learning_rate=rate, name="custom")
    project.undo_stack.undo()
    assert project.recipe == before


def test_it_computes_beside_the_main_thread(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def attempt(self: RateDialog, *what: object) -> RateTest:
        threads.append(threading.current_thread())
        return FOUND

    monkeypatch.setattr(RateDialog, "attempt", attempt)
    dialog = RateDialog(project, session)
    opened(qtbot, dialog)
    until_done(qtbot, dialog)
    assert threads
    assert threads[0] is not threading.main_thread()


def test_line_and_field_choose_the_same_rate(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    dialog = RateDialog(project, session)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.show_result(FOUND)
    assert dialog.field.value() == 0.002
    dialog.plot._line.setValue(-2)
    assert dialog.field.value() == 0.01
    Hand(dialog).write(dialog.field, "0.05")
    assert dialog.plot._line.value() == pytest.approx(-1.30103)
    Hand(dialog).click_button("Use this rate")
    assert project.recipe.learning_rate == 0.05


def test_a_test_without_a_suggestion_says_so_and_keeps_the_rate(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    dialog = RateDialog(project, session)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.show_result(RateTest((0.1, 1.0), (2.0, 2.1), 100))
    assert words(dialog, "rateWords") == "The loss falls at none of these rates. The recipe has 0.001."
    assert dialog.field.value() == 0.001


def test_it_can_be_called_off_and_tried_again(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def attempt(self: RateDialog, network: Network, *rest: object) -> RateTest:
        began.set()
        while True:
            check(rest[-1])  # type: ignore[arg-type]  # what asks whether it is called off
            threading.Event().wait(0.002)

    monkeypatch.setattr(RateDialog, "attempt", attempt)
    dialog = RateDialog(project, session)
    hand = opened(qtbot, dialog)
    qtbot.waitUntil(began.is_set, timeout=PATIENCE_MS)
    hand.click_button(CALLED_OFF)
    assert not dialog.is_busy
    qtbot.waitUntil(lambda: not session.is_busy, timeout=PATIENCE_MS)
    assert not dialog.use.isEnabled()
    monkeypatch.setattr(RateDialog, "attempt", lambda *what: FOUND)
    hand.click_button("Try again")
    until_done(qtbot, dialog)
    assert dialog.use.isEnabled()


def test_closing_it_ends_the_trial(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(self: RateDialog, *what: object) -> RateTest:
        while True:
            check(what[-1])  # type: ignore[arg-type]  # what asks whether it is called off
            threading.Event().wait(0.002)

    monkeypatch.setattr(RateDialog, "attempt", attempt)
    dialog = RateDialog(project, session)
    opened(qtbot, dialog)
    dialog.reject()
    qtbot.waitUntil(lambda: not session.is_busy, timeout=PATIENCE_MS)


def test_what_cannot_be_tried_is_one_sentence_in_the_dialog(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(self: RateDialog, *what: object) -> RateTest:
        raise UserError("This network has no weights.")

    monkeypatch.setattr(RateDialog, "attempt", attempt)
    dialog = RateDialog(project, session)
    opened(qtbot, dialog)
    until_done(qtbot, dialog)
    assert words(dialog, "trialFailure") == "This network has no weights."
    assert not dialog.use.isEnabled()


def test_the_preflight_measures_and_offers_the_fastest_batch(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.training.preflight import profiling

    monkeypatch.setattr(profiling, "_ENOUGH", 0.0)
    measured: list[object] = []
    dialog = PreflightDialog(project, session)
    dialog.measured.connect(measured.append)
    opened(qtbot, dialog)
    until_done(qtbot, dialog)
    assert words(dialog, "trialFailure") == ""
    assert words(dialog, "preflightWords").startswith("An epoch takes about")
    shown = {label.text() for label in dialog.findChildren(QLabel)}
    assert {"4", "16", "the recipe’s"} & shown >= {"4", "16"}
    assert len(measured) == 1


def result(*, fits: bool, quicker: str | None = None) -> SimpleNamespace:
    sizes = [
        SimpleNamespace(size=size, images_per_second=10.0 * size, memory=size * 10**6) for size in (16, 32)
    ]
    remarks = {16: "the recipe’s", 32: "fastest"}
    return SimpleNamespace(
        sizes=sizes,
        sentence="It takes long.",
        in_short="takes about 2 m and 22 MB",
        remark=lambda one: remarks[one.size],
        fits=fits,
        fastest=32,
        accumulate=8,
        quicker_precision=quicker,
        gain=1.84,
    )


def test_one_click_takes_the_fastest_batch_or_the_parts_that_fit(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    for fits, button, fields in (
        (True, "Use batches of 32", {"batch_size": 32}),
        (False, "in 8 parts", {"batch_size": 32, "accumulate": 8}),
    ):
        dialog = PreflightDialog(project, session)
        qtbot.addWidget(dialog)
        dialog.show()
        dialog.show_result(result(fits=fits))
        Hand(dialog).click_button(button)
        assert project.recipe == LESSON.replace(**fields, name="custom")


def test_a_quicker_precision_is_taken_when_it_is_ticked(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    project.set_recipe(LESSON.replace(batch_size=32))
    dialog = PreflightDialog(project, session)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.show_result(result(fits=True))
    assert not dialog.precision.isVisible()
    dialog.show_result(result(fits=True, quicker="bfloat16"))
    assert not dialog.use.isEnabled()
    hand = Hand(dialog)
    hand.click(dialog.precision)
    assert "1.8 × as fast" in dialog.precision.text()
    hand.click_button("Use batches of 32")
    assert project.recipe == LESSON.replace(batch_size=32, precision="bfloat16", name="custom")


def test_a_second_measurement_replaces_the_first(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    dialog = PreflightDialog(project, session)
    qtbot.addWidget(dialog)
    dialog.show()
    for _ in range(2):
        dialog.show_nothing()
        dialog.show_result(result(fits=True))
    assert len(dialog._cells) == 10
