"""The layer whose feature maps are wanted, told to the training that is under way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnstudio.insight.feature_maps import FeatureMapProbe


class WatchedLayer:
    """Set in the main thread; the computing thread looks through a probe while it trains."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: tuple[str, int] | None = None
        self._probe: FeatureMapProbe | None = None

    def watch(self, node_id: str, image: int) -> None:
        """From now on this layer, of the example image of this number."""
        with self._lock:
            self._wanted = (node_id, image)
            if self._probe is not None:
                self._probe.watch(node_id, image)

    @contextmanager
    def probing(self) -> Iterator[FeatureMapProbe]:
        """A probe that looks at what is watched, as long as the context lasts."""
        from cnnstudio.insight.feature_maps import FeatureMapProbe

        probe = FeatureMapProbe()
        with self._lock:
            self._probe = probe
            if self._wanted is not None:
                probe.watch(*self._wanted)
        try:
            yield probe
        finally:
            with self._lock:
                self._probe = None
