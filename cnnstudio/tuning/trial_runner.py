"""Where the trials of a search are trained: the images, the machine, and the way to stop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.files import exists
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.runs.recorder import start_run
from cnnstudio.runs.run import RUN_FILE
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Finished
from cnnstudio.training.recipe.recipe import Recipe


@dataclass(frozen=True)
class Workshop:
    """`source` is the name or folder by which the images are found again."""

    dataset: Dataset
    source: str
    device: str
    threads: int | None
    control: Control

    def train(
        self, network: Network, recipe: Recipe, folder: Path, emit: Callable[[Event], None]
    ) -> Finished:
        """Trains in the folder, or goes on with the run that was interrupted there. Raises UserError."""
        begun = exists(folder / RUN_FILE)
        if not begun:
            # What a killed process left there before it was a run.
            shutil.rmtree(folder, ignore_errors=True)
        return start_run(
            network,
            self.dataset,
            recipe,
            folder=folder,
            source=self.source,
            device=self.device,
            threads=self.threads,
            control=self.control,
            emit=emit,
            resume=begun,
        )
