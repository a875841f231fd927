"""Runs the checks of a data set in the background, and keeps what they found.

When they have ended, suspected label errors are looked for, which needs the compute thread.
"""

from __future__ import annotations

import threading
import time

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.data.checks.report import CheckReport, read_report, report_of, write_report
from cnnstudio.data.sources import find_source
from cnnstudio.data.versions.version import version_of
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.pages.data_set.checks.label_error_search import LabelErrorSearch, LabelsNow
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet

_PAUSE_SECONDS = 0.2


class CheckRunner(QObject):
    """One check at a time. It rests while a training computes, which it would slow down."""

    changed = Signal()
    """What is found, or whether a check runs, has changed."""
    progressed = Signal(object)
    """A Progress of the running check."""
    failed = Signal(object)
    """Why the check could not be completed, one sentence."""

    def __init__(self, session: TrainingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._free = threading.Event()
        self._viewed: ViewedSet | None = None
        self.report: CheckReport | None = None
        """What was found in the data set that is looked at; None if it was not checked yet."""
        self._task: IoTask | None = None
        self._only_pairs = False
        """Whether the check is for look-alikes in a set that was checked for everything else."""
        self._reading: IoTask | None = None
        self.label_errors = LabelErrorSearch(session, self)
        self.label_errors.changed.connect(self.changed)
        self.label_errors.progressed.connect(self.progressed)
        self.label_errors.failed.connect(self.failed)
        session.state_changed.connect(self._on_state_changed)
        self._on_state_changed(session.state)

    @property
    def is_running(self) -> bool:
        return self._task is not None or self.label_errors.task.is_running

    @property
    def is_resting(self) -> bool:
        """Whether the check waits for the end of a training."""
        if self._task is None:
            return self.label_errors.task.is_resting
        return not self._free.is_set()

    def _on_state_changed(self, state: object) -> None:
        if state in (State.IDLE, State.PAUSED):
            self._free.set()
        else:
            self._free.clear()
        if self.is_running:
            self.changed.emit()

    def show(
        self, viewed: ViewedSet | None, labels: LabelsNow | None = None, *, checks: bool = False
    ) -> None:
        """Looks at another data set; with `checks`, checks it unless that was done before."""
        self.close()
        self.label_errors.show(viewed, labels)
        self._viewed, self.report = viewed, None
        self.changed.emit()
        if viewed is None:
            return

        def read(progress: ProgressFunction, cancelled: CancelFunction) -> CheckReport | None:
            return read_report(viewed.images)

        def on_read(report: object) -> None:
            assert report is None or isinstance(report, CheckReport)
            self.report = report
            if report is None and checks:
                self.start()
            self.changed.emit()

        self._reading = IoTask(read, self)
        self._reading.done.connect(on_read)
        self._reading.start()

    def start(self, *, all_pairs: bool = False) -> None:
        """Checks the data set; with `all_pairs`, compares all of its images with each other."""
        viewed, free = self._viewed, self._free
        if viewed is None or self._task is not None:
            return
        self._only_pairs = all_pairs

        def check(progress: ProgressFunction, cancelled: CancelFunction) -> CheckReport:
            # Imported here, because the window is shown before Pillow is loaded.
            from cnnstudio.data.checks.check import check_images

            def stops() -> bool:
                while not cancelled() and not free.wait(_PAUSE_SECONDS):
                    pass
                return cancelled()

            begun = time.monotonic()
            source = viewed.source or find_source(viewed.name)
            checked = check_images(source, progress, stops, all_pairs=all_pairs)
            found, version = checked.to_json(), version_of(checked.dataset)
            seconds = time.monotonic() - begun
            report = report_of(found, version, has_all_pairs=checked.checked_all_pairs, seconds=seconds)
            write_report(viewed.images, found, report)
            return report

        self._task = task = IoTask(check, self)
        task.progressed.connect(self._on_progressed)
        task.done.connect(self._on_done)
        task.failed.connect(self.failed)
        task.ended.connect(lambda: self._on_ended(task))
        task.start()
        self.changed.emit()

    def _on_progressed(self, progress: Progress) -> None:
        self.progressed.emit(progress)

    def _on_done(self, report: object) -> None:
        assert isinstance(report, CheckReport)
        self.report = report
        if not self._only_pairs:
            self.label_errors.start_unasked()

    def _on_ended(self, task: IoTask) -> None:
        if self._task is task:
            self._task = None
            self.changed.emit()

    def cancel(self) -> None:
        """Ends the check; what was found before stays."""
        if self._task is not None:
            self._task.cancel()
        self.label_errors.task.cancel()

    def close(self) -> None:
        """Ends what runs in the background."""
        for task in (self._task, self._reading):
            if task is not None:
                task.cancel()
        self._task = self._reading = None
        self.label_errors.close()
