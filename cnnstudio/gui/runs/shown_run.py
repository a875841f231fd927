"""The run on show: the session's own, live, or one that was opened from its folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.cursor import Cursor, Selection
from cnnstudio.gui.runs.curves.overlays import RunOverlays
from cnnstudio.gui.runs.follower import OpenedRun, RunFollower
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.training.events import EpochEnded, Event, Finished, Started, UnitsChecked


@dataclass(frozen=True)
class _Aside:
    """A run that was on show, and how."""

    record: RunRecord
    is_own: bool
    epoch: int | None


class ShownRun(QObject):
    """Keeps the cursor on one run, feeds its record, and chooses a layer of it.

    It only reads: looking at a run changes neither the open design nor the run's folder.
    """

    saved_changed = Signal()
    """The run's folder may hold newer feature maps than before."""
    network_changed = Signal()
    """`network` is another one: another run is shown, or the design was edited before there is any run."""
    renamed = Signal()
    """The run on show has another title, or it became known where its weights are from."""
    next_wanted = Signal(object)
    """The RunRecord that is about to be deleted: another run is to be shown in its place, if there is one."""
    return_wanted = Signal(object)
    """The folder of a run that is not deleted after all: it is shown again, and has to be followed."""

    def __init__(self, project: Project, session: TrainingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._session = session
        self._live = RunRecord()
        self._before: tuple[RunRecord, RunRecord] | None = None
        """The session's last run and the one on show, until the next one has started: it may fail to."""
        self._aside: _Aside | None = None
        """The run that was on show and is about to be deleted, until that is done or undone."""
        self._gone: _Aside | None = None
        """The run that was on show and was deleted last, unless the user has chosen another one since."""
        self._snapshots: list[int] = []
        self._last_layer: str | None = None
        """The layer that was chosen last, in this run or in one before."""
        self.watchers: set[QObject] = set()
        """The visible widgets for which a running training sends feature maps."""
        self.cursor = Cursor(self)
        self.selection = Selection(self)
        self.follower = RunFollower(self)
        """Follows the run that was opened."""
        self.overlays = RunOverlays(self)
        """What is laid over its curves."""
        self.cursor.show(self._live, is_live=False)
        self.cursor.run_changed.connect(lambda _: self.network_changed.emit())
        project.network_changed.connect(self._on_design_changed)
        session.events.connect(self._on_events)
        session.state_changed.connect(self._on_state_changed)
        session.dataset_loaded.connect(self._on_dataset_loaded)
        self.follower.record_changed.connect(self._on_record_changed)
        self.follower.events_added.connect(self._on_followed_events)
        self.follower.changed.connect(self._on_followed_changed)
        project.selection_changed.connect(self._on_selection_changed)
        self.selection.layer_changed.connect(self._on_layer_changed)

    @property
    def record(self) -> RunRecord:
        """The run on show; an empty one before there is any."""
        return self.cursor.record

    @property
    def network(self) -> Network:
        """The network of the run on show; before there is any run, the open design."""
        return self.record.network if self.record.network.nodes else self._project.network

    def _on_design_changed(self, _: object) -> None:
        if not self.record.network.nodes:
            self.network_changed.emit()

    @property
    def title(self) -> str:
        """How the run on show is named; empty before there is any."""
        return self.record.title if self.record.network.nodes else ""

    @property
    def is_own(self) -> bool:
        """Whether the session trains or trained it, rather than that it was opened from its folder."""
        return self.record is self._live

    @property
    def is_live(self) -> bool:
        """Whether it is training now."""
        return self.cursor.is_live

    def show_opened(self, opened: OpenedRun) -> None:
        """Shows a run from its folder, possibly one that another program is training."""
        # Chosen while another run is about to start, it stays, whatever becomes of that one.
        self._before = self._aside = self._gone = None
        self.cursor.follow_end()
        self.follower.follow(opened)

    def show_own(self) -> None:
        """Shows the session's run again, at its end."""
        self.follower.close()
        self._show(self._live, self._session.state is not State.IDLE)

    def show_next(self, opened: OpenedRun) -> None:
        """Shows a run in place of one that is about to be deleted; see `next_wanted`."""
        if self._aside is not None and not self.record.network.nodes:
            aside = self._aside
            self.show_opened(opened)
            # Nobody has chosen it.
            self._aside = aside

    def hide(self, folders: Iterable[Path]) -> None:
        """These runs, and no others, are about to be deleted. The one on show comes back if it is not."""
        hidden, aside = frozenset(folders), self._aside
        if aside is not None and aside.record.folder not in hidden:
            self._bring_back(aside)
        elif self.record.folder in hidden and not self.cursor.is_live:
            self._aside = _Aside(self.record, self.is_own, self.cursor.epoch)
            self.follower.close()
            self._show_none()
            self.next_wanted.emit(self._aside.record)
        self.overlays.hide(hidden)

    def _bring_back(self, aside: _Aside) -> None:
        self._aside = None
        self.follower.close()
        if aside.is_own:
            self._live = aside.record
        self._show(aside.record, False)
        self.cursor.move_to(aside.epoch)
        if not aside.is_own:
            self.return_wanted.emit(aside.record.folder)

    def show_again(self, opened: OpenedRun) -> None:
        """Follows the run that has come back on show, at the epoch at which it is; see `return_wanted`."""
        if opened.record.folder == self.record.folder and not self.is_own:
            self.follower.follow(opened)

    def unforget(self, folders: Iterable[Path]) -> None:
        """These runs are there again: shows the one that was on show when it was deleted."""
        gone, self._gone = self._gone, None
        if gone is not None and gone.record.folder in set(folders) and not self.cursor.is_live:
            self._bring_back(gone)

    def _show_none(self) -> None:
        if self.is_own:
            self._live = RunRecord()
            self._show(self._live, False)
        else:
            self._show(RunRecord(), False)

    def forget(self, folders: Iterable[Path]) -> None:
        """Shows no run any more if the one on show is among those whose folders are gone."""
        gone = set(folders)
        self.overlays.forget(gone)
        if self._aside is not None and self._aside.record.folder in gone:
            self._gone, self._aside = self._aside, None
        if self.record.folder in gone and not self.cursor.is_live:
            self.follower.close()
            self._live = RunRecord()
            self._show(self._live, False)

    def rename(self, folder: Path, title: str) -> None:
        """The user gave the run in that folder another title, or none."""
        self.overlays.rename(folder, title)
        if self.record.folder == folder:
            self.record.label = title
            self.renamed.emit()

    def close(self) -> None:
        """Stops following the run."""
        self.cursor.pause()
        self.follower.close()
        self.overlays.close()

    def _show(self, record: RunRecord, is_live: bool) -> None:
        if record.folder != self.record.folder or record.network != self.record.network:
            self.selection.clear_results()
        # With nothing trained here, there is nothing to take it for.
        is_other = record is not self._live and (bool(self._live.network.nodes) or is_live)
        self.cursor.show(record, is_live=is_live, is_other=is_other)
        self._choose_layer()

    # The session's run

    def _on_state_changed(self, state: object) -> None:
        if state is State.LOADING and self._session.network is not None:
            self._show_beginning(self._session.network)
        elif state is State.IDLE:
            self._restore()
            if self.is_own:
                self.cursor.set_live(False)

    def _show_beginning(self, network: Network) -> None:
        """Shows the run that is about to start. The one before comes back if it does not."""
        previous, self._aside, self._gone = self.record, None, None
        if self._before is None:
            self._before = self._live, previous
        self._live = RunRecord(network, self._session.dataset_name, datetime.now().astimezone())
        if previous.folder is not None and previous.folder == self._session.continues_from:
            self._live.continue_from(previous)
        self.cursor.follow_end()
        self._show(self._live, True)

    def _on_started(self) -> None:
        self._before = None
        if self.is_own:
            self.follower.close()
            self.renamed.emit()

    def _restore(self) -> None:
        """Shows the run before again if the session's run ended before its first step."""
        if self._before is None:
            return
        was_own, (self._live, shown) = self.is_own, self._before
        self._before = None
        if was_own:
            self._show(shown, shown is self.follower.record and self.follower.is_running)

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        self._live.set_images_from(loaded[1])
        if self.is_own:
            self.cursor.images_changed.emit()
            self._choose_layer()

    def _on_events(self, events: Iterable[Event]) -> None:
        notice = self._live.weights_notice
        self._live.feed(events)
        if self._live.weights_notice != notice and self.is_own:
            self.renamed.emit()
        if any(isinstance(event, Started) for event in events):
            self._on_started()
        if self.is_own:
            self._advance(events)

    def _advance(self, events: Iterable[Event]) -> None:
        if any(isinstance(event, EpochEnded | UnitsChecked | Finished) for event in events):
            self.saved_changed.emit()
        if self.selection.layer is None:
            self._choose_layer()
        self.cursor.advance(events)

    # A run that another program trains

    def _on_record_changed(self, record: object) -> None:
        """Another run was opened, or the same one was resumed. For the same one the choice stays."""
        assert isinstance(record, RunRecord)
        if self._before is not None and self.is_own:
            # It waits behind the one that is about to start.
            self._before = self._before[0], record
        else:
            self._show(record, self.follower.is_running)

    def _on_followed_events(self, events: Iterable[Event]) -> None:
        if not self.is_own:
            self._advance(events)

    def _on_followed_changed(self) -> None:
        if self.is_own:
            return
        # The maps of an epoch are saved a moment after its end, without an event.
        snapshot = self.follower.latest
        if snapshot is not None and snapshot.snapshots != self._snapshots:
            self._snapshots = snapshot.snapshots
            self.saved_changed.emit()
        self.cursor.set_live(self.follower.is_running)

    # The layer

    def _on_selection_changed(self, _: object) -> None:
        """Selecting a layer of the open design chooses the same layer of the run, if it has one."""
        self._choose((*self._project.selection, self._last_layer))

    def _choose_layer(self) -> None:
        """Keeps the chosen layer if the run has it, else takes the selected one, else a convolution."""
        self._choose((self._last_layer, *self._project.selection))

    def _on_layer_changed(self, layer: object) -> None:
        self._last_layer = layer if isinstance(layer, str) else self._last_layer

    def _choose(self, wanted: Iterable[str | None]) -> None:
        self.selection.choose_layer(self.record.layer_to_show(wanted))
