"""Trains the trials of a search, each as a run of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.files import exists
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.runs.run import RUN_FILE
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Finished
from cnnstudio.training.recipe.recipe import Recipe


@dataclass(frozen=True)
class TrialRunner:
    """The images and hardware that all trials share, and the control that stops them."""

    dataset: Dataset
    source: str
    """The name or folder by which `find_source` finds the images again."""
    device: str
    threads: int | None
    control: Control

    def train(
        self, network: Network, recipe: Recipe, folder: Path, emit: Callable[[Event], None]
    ) -> Finished:
        """Trains into the folder, or resumes the interrupted run there. Raises UserError."""
        resume = exists(folder / RUN_FILE)
        if not resume:
            # A process that was killed before the run existed may have left files behind.
            shutil.rmtree(folder, ignore_errors=True)
        options = RunOptions(
            folder=folder,
            source=self.source,
            device=self.device,
            threads=self.threads,
            resume=resume,
            keep_weights=False,
        )
        return start_run(network, self.dataset, recipe, options, control=self.control, emit=emit)
