"""Large garbage collections wait for a quiet moment."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.templates import templates
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.shell import idle_gc as tidying
from cnnstudio.gui.shell.idle_gc import Tidying, collect_seldom


@pytest.fixture(autouse=True)
def _own_thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was called of the collector."""
    calls: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr(tidying, "QUIET_MS", 20)
    return calls


def edit(project: Project) -> None:
    project.edit("rename", edits.renamed(project.network, project.network.name + "a"))


def test_small_collections_go_on_and_large_ones_become_seldom() -> None:
    before = gc.get_threshold()
    collect_seldom()
    assert gc.get_threshold()[:2] == before[:2]
    assert gc.get_threshold()[2] > before[2]


def test_after_an_edit_and_a_quiet_moment_it_is_collected(
    qtbot: QtBot, collected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 100))
    project, owner = Project(templates()["lesson-32"].network), QObject()
    tidy = Tidying(project, owner)
    edit(project)
    edit(project)
    assert collected == []
    qtbot.waitUntil(lambda: "collect" in collected)
    assert collected.count("collect") == 1
    tidy.end()


def test_little_is_left_lying(qtbot: QtBot, collected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 1))
    project, owner = Project(templates()["lesson-32"].network), QObject()
    tidy = Tidying(project, owner)
    edit(project)
    qtbot.waitUntil(lambda: not tidy._quiet.isActive())
    assert collected == []


def test_a_window_that_closes_waits_for_nothing(qtbot: QtBot, collected: list[str]) -> None:
    project, owner = Project(templates()["lesson-32"].network), QObject()
    tidy = Tidying(project, owner)
    edit(project)
    tidy.end()
    assert not tidy._quiet.isActive()
