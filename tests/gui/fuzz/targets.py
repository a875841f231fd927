"""What the fuzzers try in the window: settings, runs and their saved feature maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import shiboken6
from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from cnnstudio.gui.document.project import Project
from cnnstudio.gui.shell.app import application
from tests.fuzz.child import Child
from tests.fuzz.target import Attempts, Target
from tests.fuzz.targets import put_home, train
from tests.gui.fakes import FakeSession

_HARMLESS = "This plugin does not support"
"""What the offscreen platform says of every window with a size limit."""


def _on_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    is_worth_it = kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and _HARMLESS not in message
    if is_worth_it and Child.current is not None:
        Child.current.attempts.faults.append((f"Qt: {message[:60]}", message))


class WindowTarget(Target):
    """A target that needs an application; Qt's warnings count as faults."""

    def enter(self, folder: Path) -> None:
        application()
        qInstallMessageHandler(_on_qt_message)


class WindowSettings(WindowTarget):
    """A window that starts with damaged settings, recipes, lists of data sets and unsaved designs."""

    fuzzed: ClassVar = (
        "home/window.ini",
        "home/unsaved-*.cnn.json",
        "home/recipes/*.json",
        "home/datasets/folders.json",
    )
    may_leave: ClassVar = ("home/*",)

    def prepare(self, folder: Path) -> None:
        put_home(folder)
        application()
        # The settings as the present program writes them, with checksums.
        self._start(lambda window: None)

    def repair(self, folder: Path, names: list[str]) -> None:
        """Without their checksums, a damaged arrangement is checked byte by byte."""
        path = folder / "home" / "window.ini"
        if path.is_file():
            lines = path.read_bytes().split(b"\n")
            path.write_bytes(b"\n".join(line for line in lines if b"_checksum=" not in line))

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        # The second start has to come through whatever the first one has left.
        for start in ("start", "start again"):
            attempt(start, lambda: self._start(self._use))

    def _start(self, use: Callable[[Any], object]) -> None:
        from cnnstudio.gui.shell.app import create_window

        window = create_window()
        window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
        try:
            window.show()
            QApplication.processEvents()
            use(window)
        finally:
            if window.isWindowModified():
                window.project.mark_saved(Path("elsewhere.cnn.json"))
            window.close()
            shiboken6.delete(window)

    def _use(self, window: Any) -> None:
        window.grab()
        assert window.isVisible()
        assert window.width() < 10_000


class WindowRuns(WindowTarget):
    """A run in the dashboard, drawn at its end, at its beginning and at its first epoch."""

    fuzzed: ClassVar = (
        "home/runs/fresh/run.json",
        "home/runs/fresh/events.jsonl",
        "home/runs/fresh/design.cnn.json",
        "home/runs/fresh/recipe.json",
        "home/runs/fresh/snapshots/*.npz",
    )
    # The previous run, whose curves are shown too, is found in the list of all runs, which is cached.
    may_leave: ClassVar = ("home/runs/*/lock", "home/run-summaries.json")

    def prepare(self, folder: Path) -> None:
        put_home(folder)
        train(folder, 3)

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.gui.runs.follower import read_run
        from cnnstudio.gui.runs.resume import read_resumable_run

        path = folder / "home" / "runs" / "fresh"
        attempt("resume", lambda: read_resumable_run(path))
        opened = attempt("open", lambda: read_run(path))
        if opened is not None:
            attempt("draw", lambda: self._draw(opened))

    def _draw(self, opened: Any) -> None:
        from cnnstudio.gui.runs.status_text import RunStatusText, describe_followed_run
        from tests.gui.run_stage import RunStage

        network = opened.record.network
        session = FakeSession()
        project = Project(network)
        dashboard = RunStage(project, session)
        try:
            dashboard.resize(1000, 300)
            dashboard.show()
            dashboard.show_run(opened)
            for epoch in (None, 0, 1):
                dashboard.timeline.slider.choose(epoch)
                for _ in range(2):
                    dashboard.clock.draw()  # what the timer calls
                    task = dashboard.feature_maps._loader._task
                    if task is not None:
                        task.wait(5)
                    QApplication.processEvents()
                dashboard.grab()
            status = RunStatusText()
            status.feed(opened.record.history.summary_events)
            describe_followed_run(opened.snapshot, status, "")
        finally:
            dashboard.hide()
            dashboard.close_run()
            shiboken6.delete(dashboard)
