"""What the session is asked to train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.progress import ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.training.control import Control, Probe
from cnnstudio.training.events import Event, Finished
from cnnstudio.training.recipe.recipe import Recipe


@dataclass(frozen=True)
class Order:
    """With `folder` the run in it goes on; with `continue_from` a new one goes on from that one."""

    network: Network
    dataset_name: str
    recipe: Recipe
    folder: Path | None = None
    continue_from: Path | None = None
    seeds: int = 1
    """So many runs one after the other, each with another seed."""

    def train(
        self,
        device: str,
        dataset: Dataset,
        control: Control,
        emit: Callable[[Event], None],
        probes: Sequence[Probe],
        progress: ProgressFunction,
    ) -> Finished:
        """Trains and writes the run, in the computing thread. Raises UserError."""
        from cnnstudio.runs.recorder import start_run

        return start_run(
            self.network,
            dataset,
            self.recipe,
            device=device,
            folder=self.folder,
            resume=self.folder is not None,
            continue_from=self.continue_from,
            source=self.dataset_name,
            control=control,
            emit=emit,
            probes=probes,
            progress=progress,
        )
