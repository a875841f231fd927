"""The feature maps that runs kept, read beside the window: a drive that is slow holds up nothing."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import Work
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.runs.run import Run, RunError

_KEPT = 64


@dataclass(frozen=True)
class Wish:
    """What a layer made of an example image until the end of an epoch."""

    folder: Path
    epoch: int
    node_id: str
    image: int


@dataclass(frozen=True)
class Kept:
    """What there is of a wish."""

    epoch: int | None
    """At whose end the maps were kept: long runs do not keep those of every epoch. None where none were."""
    maps: FeatureMaps | None


class Shelf(QObject):
    """Gives what was read before at once; what was not is read, one wish at a time, and `arrived` tells."""

    arrived = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[Wish, Kept] = OrderedDict()
        self._reading: Work | None = None

    def find(self, wish: Wish) -> Kept | None:
        """None while it is being read, or something else is; ask again when it `arrived`."""
        if wish in self._kept:
            self._kept.move_to_end(wish)
            return self._kept[wish]
        if self._reading is None:
            self._reading = Work(partial(_read, wish), self)
            self._reading.done.connect(partial(self._on_done, wish))
            self._reading.failed.connect(lambda _: self._on_done(wish, Kept(None, None)))
            self._reading.start()
        return None

    def forget_older(self) -> None:
        """There may be newer maps by now, for wishes that had to take those of an earlier epoch."""
        for wish, kept in list(self._kept.items()):
            if kept.epoch != wish.epoch:
                del self._kept[wish]

    def forget(self) -> None:
        """Another run is shown, or the same one went on from an earlier place."""
        self._kept.clear()
        self.close()

    def close(self) -> None:
        """Waits no longer for what is being read."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _on_done(self, wish: Wish, kept: object) -> None:
        assert isinstance(kept, Kept)
        self._reading = None
        self._kept[wish] = kept
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        self.arrived.emit()


def _read(wish: Wish, progress: ProgressFunction, cancelled: CancelFunction) -> Kept:
    try:
        run = Run.open(wish.folder)
        taken = max((epoch for epoch in run.snapshot_epochs if epoch <= wish.epoch), default=None)
        if taken is None:
            return Kept(None, None)
        return Kept(taken, run.snapshot(taken).feature_maps(wish.node_id, wish.image))
    except RunError:
        return Kept(None, None)
