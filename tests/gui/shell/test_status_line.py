"""The status at the left end of the bottom bar."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.templates import template
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.shell.status_line import StatusLine
from cnnstudio.gui.widgets.labels import ElidedLabel
from tests.gui.fakes import TINY, FakeSession


@pytest.mark.parametrize(
    ("state", "begin"),
    [(State.RUNNING, "Training Tiny"), (State.PAUSED, "Paused Tiny"), (State.STOPPING, "Stopping Tiny")],
)
def test_a_training_keeps_the_name_of_its_network_when_another_design_is_opened(
    state: State, begin: str, qtbot: QtBot
) -> None:
    project, session = Project(), FakeSession()
    project.open_network(template("resnet-20").network, None)
    line = StatusLine(project, session)
    qtbot.addWidget(line)
    session.network = TINY
    session.show_state(state)
    label = line.findChild(ElidedLabel, "statusMessage")
    assert isinstance(label, ElidedLabel)
    assert label.full_text == f"{begin} · open design: ResNet-20"

    session.show_state(State.IDLE)
    assert label.full_text == "Ready · ResNet-20"


def test_what_must_be_fixed_is_a_whole_sentence_where_there_is_little_room(qtbot: QtBot) -> None:
    project = Project()
    lesson = template("lesson-32").network
    project.open_network(lesson, None)
    project.edit("remove", edits.remove(lesson, ["flatten_1"]))
    line = StatusLine(project, FakeSession())
    qtbot.addWidget(line)
    line.show()
    label = line.findChild(ElidedLabel, "statusMessage")
    assert isinstance(label, ElidedLabel)
    line.resize(700, 40)
    assert label.text().startswith("Fix 1 problem to train: layer ")
    line.resize(240, 40)
    assert label.text() == "Fix 1 problem to train"
