"""The layer and example image whose feature maps the window wants from the running training."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnstudio.insight.feature_maps import FeatureMapProbe


class ProbeTarget:
    """Set in the main thread, read by a probe on the compute thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._target: tuple[str, int] | None = None
        self._probe: FeatureMapProbe | None = None

    def watch(self, node_id: str, image: int) -> None:
        """Selects a layer and an example image, by its index, for this training and those that follow."""
        with self._lock:
            self._target = (node_id, image)
            if self._probe is not None:
                self._probe.watch(node_id, image)

    def unwatch(self) -> None:
        """Selects nothing: nobody would see the maps."""
        with self._lock:
            self._target = None
            if self._probe is not None:
                self._probe.unwatch()

    @contextmanager
    def probing(self) -> Iterator[FeatureMapProbe]:
        """A probe that watches the target as long as the context lasts."""
        from cnnstudio.insight.feature_maps import FeatureMapProbe

        probe = FeatureMapProbe()
        # Under the lock: a `watch` at this moment must not be overwritten by the older target.
        with self._lock:
            self._probe = probe
            if self._target is not None:
                probe.watch(*self._target)
        try:
            yield probe
        finally:
            with self._lock:
                self._probe = None
