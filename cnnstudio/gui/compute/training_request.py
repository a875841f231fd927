"""What the session is to train, and how the run starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.progress import ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.training.control import BackgroundWork, Control, Probe
from cnnstudio.training.events import Event, Finished
from cnnstudio.training.recipe.recipe import Recipe


@dataclass(frozen=True)
class TrainingRequest:
    """A new run, or with `folder` the resumed run in that folder.

    With `continue_from` the new run starts from the weights and history of the run in that folder.
    """

    network: Network
    dataset_name: str
    recipe: Recipe
    folder: Path | None = None
    continue_from: Path | None = None
    weights: str | None = None
    """A run or a file whose weights a new run starts from; None for those that the design names, if any."""
    names_seed: bool = False
    """Whether the name of a new run's folder tells its seed."""

    def train(
        self,
        device: str,
        dataset: Dataset,
        control: Control,
        emit: Callable[[Event], None],
        probes: Sequence[Probe],
        progress: ProgressFunction,
        background: BackgroundWork | None = None,
    ) -> Finished:
        """Trains one run and writes its folder, in the current thread. Raises UserError on failure."""
        from cnnstudio.runs.start import RunOptions, start_run

        return start_run(
            self.network,
            dataset,
            self.recipe,
            RunOptions(
                device=device,
                adapt_threads=not self.names_seed,
                folder=self.folder,
                resume=self.folder is not None,
                continue_from=self.continue_from,
                weights=self.weights,
                names_seed=self.names_seed,
                source=self.dataset_name,
                keep_weights=not self.names_seed,
                on_save_failure="pause",
            ),
            control=control,
            emit=emit,
            probes=probes,
            background=background,
            progress=progress,
        )
