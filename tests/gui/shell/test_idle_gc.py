"""Full garbage collections wait until the user is idle."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.templates import templates
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.shell import idle_gc
from cnnstudio.gui.shell.idle_gc import IdleCollector, defer_full_collections


@pytest.fixture(autouse=True)
def _restore_thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls of the garbage collector."""
    calls: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr(idle_gc, "IDLE_MS", 20)
    return calls


def edit(project: Project) -> None:
    project.edit("rename", edits.rename(project.network, project.network.name + "a"))


def test_only_full_collections_become_rare() -> None:
    before = gc.get_threshold()
    defer_full_collections()
    assert gc.get_threshold()[:2] == before[:2]
    assert gc.get_threshold()[2] > before[2]


def test_a_collection_runs_once_the_user_is_idle_after_an_edit(
    qtbot: QtBot, collected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 100))
    project, owner = Project(templates()["lesson-32"].network), QObject()
    collector = IdleCollector(project, owner)
    edit(project)
    edit(project)
    assert collected == []
    qtbot.waitUntil(lambda: "collect" in collected)
    assert collected.count("collect") == 1
    collector.stop()


def test_little_garbage_is_not_collected(
    qtbot: QtBot, collected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 1))
    project, owner = Project(templates()["lesson-32"].network), QObject()
    collector = IdleCollector(project, owner)
    edit(project)
    qtbot.waitUntil(lambda: not collector._timer.isActive())
    assert collected == []


def test_stop_cancels_the_pending_collection(qtbot: QtBot, collected: list[str]) -> None:
    project, owner = Project(templates()["lesson-32"].network), QObject()
    collector = IdleCollector(project, owner)
    edit(project)
    collector.stop()
    assert not collector._timer.isActive()
