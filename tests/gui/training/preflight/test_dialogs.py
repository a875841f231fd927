"""The preflight dialogs, which compute on the session's thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import raise_if_cancelled
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.preflight.base_dialog import ComputeDialog
from cnnstudio.gui.training.preflight.lr_range_dialog import LrRangeDialog
from cnnstudio.gui.training.preflight.preflight_dialog import PreflightDialog
from cnnstudio.training.preflight.lr_range import LrRangeTest
from cnnstudio.training.recipe.built_in import LESSON
from tests.gui.fakes import TINY, image_folder
from tests.gui.user_input import UserInput

TIMEOUT_MS = 60_000
FOUND = LrRangeTest((0.001, 0.01, 0.1), (2.0, 1.5, 1.9), 100, 0.002, 0.001, 0.02)
CANCEL = "Cancel"


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
    assert session.shutdown(60)


def opened(qtbot: QtBot, dialog: ComputeDialog) -> UserInput:
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.start()
    return UserInput(dialog)


def until_done(qtbot: QtBot, dialog: ComputeDialog) -> None:
    qtbot.waitUntil(lambda: not dialog.is_busy, timeout=TIMEOUT_MS)


def text_of(dialog: ComputeDialog, name: str) -> str:
    label = dialog.findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return label.text() if not label.isHidden() else ""


def test_the_suggested_rate_is_used_with_one_click(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    dialog = LrRangeDialog(project, session)
    user = opened(qtbot, dialog)
    assert dialog.is_busy
    assert not dialog.use_button.isEnabled()
    until_done(qtbot, dialog)
    assert text_of(dialog, "computeError") == ""
    assert dialog.use_button.isEnabled()
    rate = dialog.field.value()
    assert f"{rate:g}" in text_of(dialog, "rateSummary")
    before = project.recipe
    user.click_button("Use this rate")
    assert not dialog.isVisible()
    assert project.recipe == before.replace(learning_rate=rate, name="custom")
    project.undo_stack.undo()
    assert project.recipe == before


def test_it_does_not_compute_in_the_main_thread(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def compute(self: LrRangeDialog, *what: object) -> LrRangeTest:
        threads.append(threading.current_thread())
        return FOUND

    monkeypatch.setattr(LrRangeDialog, "compute", compute)
    dialog = LrRangeDialog(project, session)
    opened(qtbot, dialog)
    until_done(qtbot, dialog)
    assert threads
    assert threads[0] is not threading.main_thread()


def test_line_and_field_show_the_same_rate(qtbot: QtBot, project: Project, session: TrainingSession) -> None:
    dialog = LrRangeDialog(project, session)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.show_result(FOUND)
    assert dialog.field.value() == 0.002
    dialog.plot._line.setValue(-2)
    assert dialog.field.value() == 0.01
    UserInput(dialog).write(dialog.field, "0.05")
    assert dialog.plot._line.value() == pytest.approx(-1.30103)
    UserInput(dialog).click_button("Use this rate")
    assert project.recipe.learning_rate == 0.05


def test_without_a_suggestion_the_rate_stays(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    dialog = LrRangeDialog(project, session)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.show_result(LrRangeTest((0.1, 1.0), (2.0, 2.1), 100))
    assert (
        text_of(dialog, "rateSummary")
        == "The loss does not fall at any of these rates. The recipe uses 0.001."
    )
    assert dialog.field.value() == 0.001


def test_it_can_be_canceled_and_tried_again(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()

    def compute(self: LrRangeDialog, network: Network, *rest: object) -> LrRangeTest:
        started.set()
        while True:
            raise_if_cancelled(rest[-1])  # type: ignore[arg-type]  # the cancel function
            threading.Event().wait(0.002)

    monkeypatch.setattr(LrRangeDialog, "compute", compute)
    dialog = LrRangeDialog(project, session)
    user = opened(qtbot, dialog)
    qtbot.waitUntil(started.is_set, timeout=TIMEOUT_MS)
    user.click_button(CANCEL)
    assert not dialog.is_busy
    qtbot.waitUntil(lambda: not session.is_busy, timeout=TIMEOUT_MS)
    assert not dialog.use_button.isEnabled()
    monkeypatch.setattr(LrRangeDialog, "compute", lambda *what: FOUND)
    user.click_button("Try again")
    until_done(qtbot, dialog)
    assert dialog.use_button.isEnabled()


def test_closing_the_dialog_cancels_the_computation(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(self: LrRangeDialog, *what: object) -> LrRangeTest:
        while True:
            raise_if_cancelled(what[-1])  # type: ignore[arg-type]  # the cancel function
            threading.Event().wait(0.002)

    monkeypatch.setattr(LrRangeDialog, "compute", compute)
    dialog = LrRangeDialog(project, session)
    opened(qtbot, dialog)
    dialog.reject()
    qtbot.waitUntil(lambda: not session.is_busy, timeout=TIMEOUT_MS)


def test_an_error_is_shown_in_the_dialog(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(self: LrRangeDialog, *what: object) -> LrRangeTest:
        raise UserError("This network has no weights.")

    monkeypatch.setattr(LrRangeDialog, "compute", compute)
    dialog = LrRangeDialog(project, session)
    opened(qtbot, dialog)
    until_done(qtbot, dialog)
    assert text_of(dialog, "computeError") == "This network has no weights."
    assert not dialog.use_button.isEnabled()


def test_the_preflight_measures_and_offers_the_fastest_batch(
    qtbot: QtBot, project: Project, session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.training.preflight import profiling

    monkeypatch.setattr(profiling, "_SECONDS_PER_SIZE", 0.0)
    measured: list[object] = []
    dialog = PreflightDialog(project, session)
    dialog.estimated.connect(measured.append)
    opened(qtbot, dialog)
    until_done(qtbot, dialog)
    assert text_of(dialog, "computeError") == ""
    assert text_of(dialog, "preflightSummary").startswith("An epoch takes ")
    shown = {label.text() for label in dialog.findChildren(QLabel)}
    assert {"4", "16", "the recipe’s"} & shown >= {"4", "16"}
    assert len(measured) == 1


@pytest.mark.parametrize("kind", [LrRangeDialog, PreflightDialog])
def test_what_is_measured_starts_from_the_weights_that_were_chosen(
    qtbot: QtBot,
    project: Project,
    session: TrainingSession,
    kind: type[LrRangeDialog] | type[PreflightDialog],
) -> None:
    dialog = kind(project, session, weights="a-run-that-is-gone")
    opened(qtbot, dialog)
    until_done(qtbot, dialog)
    assert "a-run-that-is-gone" in text_of(dialog, "computeError")


def result(*, fits: bool, faster_precision: str | None = None) -> SimpleNamespace:
    sizes = [
        SimpleNamespace(size=size, images_per_second=10.0 * size, memory=size * 10**6) for size in (16, 32)
    ]
    remarks = {16: "the recipe’s", 32: "fastest"}
    return SimpleNamespace(
        sizes=sizes,
        description="It takes long.",
        summary="takes about 2 m and 22 MB",
        describe_size=lambda one: remarks[one.size],
        fits=fits,
        fastest=32,
        accumulate=8,
        faster_precision=faster_precision,
        speedup=1.84,
    )


def test_one_click_uses_the_fastest_batch_size_or_gradient_accumulation(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    for fits, button, fields in (
        (True, "Use batch size 32", {"batch_size": 32}),
        (False, "Split each batch into 8", {"batch_size": 32, "accumulate": 8}),
    ):
        dialog = PreflightDialog(project, session)
        qtbot.addWidget(dialog)
        dialog.show()
        dialog.show_result(result(fits=fits))
        UserInput(dialog).click_button(button)
        assert project.recipe == LESSON.replace(**fields, name="custom")


def test_a_faster_precision_is_used_if_checked(
    qtbot: QtBot, project: Project, session: TrainingSession
) -> None:
    project.set_recipe(LESSON.replace(batch_size=32))
    dialog = PreflightDialog(project, session)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.show_result(result(fits=True))
    assert not dialog.precision.isVisible()
    dialog.show_result(result(fits=True, faster_precision="bfloat16"))
    assert not dialog.use_button.isEnabled()
    user = UserInput(dialog)
    user.click(dialog.precision)
    assert "1.8× as fast" in dialog.precision.text()
    user.click_button("Use batch size 32")
    assert project.recipe == LESSON.replace(batch_size=32, precision="bfloat16", name="custom")


def test_a_second_result_replaces_the_first(qtbot: QtBot, project: Project, session: TrainingSession) -> None:
    dialog = PreflightDialog(project, session)
    qtbot.addWidget(dialog)
    dialog.show()
    for _ in range(2):
        dialog.clear_result()
        dialog.show_result(result(fits=True))
    assert len(dialog._cells) == 10
