"""Finds the weights that a run starts from by what the user names: pretrained ones, a run or a file."""

from __future__ import annotations

import re
from pathlib import Path

from cnnstudio.core.files import exists, is_folder
from cnnstudio.design.network import Network
from cnnstudio.runs.epochs.inspection import model_at, resolve_epoch
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.finding import find_run
from cnnstudio.runs.run import Run
from cnnstudio.training.pretrained.catalog import PRETRAINED, PretrainedError
from cnnstudio.training.pretrained.metadata import SUFFIX
from cnnstudio.training.pretrained.start_weights import (
    StartWeights,
    from_file,
    from_network,
    from_pretrained,
)

_WITH_EPOCH = re.compile(r"(.+)@([0-9]{1,6})", re.DOTALL)


def find_start_weights(text: str, network: Network) -> StartWeights:
    """What the network can take of pretrained weights of that name, a safetensors file, or a run.

    Of a run, the best weights, or with `RUN@EPOCH` those that were kept of that epoch. Raises
    PretrainedError, RunError or CheckpointError.
    """
    if text in PRETRAINED:
        return from_pretrained(text, network)
    path = Path(text)
    if path.suffix.lower() == SUFFIX or (exists(path) and not is_folder(path) and path.suffix != ".zip"):
        return from_file(path, network)
    try:
        run, epoch = find_run_and_epoch(text)
    except RunError as error:
        names = ", ".join(PRETRAINED)
        raise PretrainedError(
            f"weights: {error} Name pretrained weights ({names}), a run, or a {SUFFIX} file."
        ) from None
    return from_run(run, network, epoch)


def run_source(run: str | Path, epoch: int | None = None) -> str:
    """The text by which `find_start_weights` finds a run's best weights, or those of an epoch."""
    return str(run) if epoch is None else f"{run}@{epoch}"


def find_run_and_epoch(text: str) -> tuple[Run, int | None]:
    """The run that is named, and the epoch if one is. A run that has such a name itself comes first.

    Raises RunError.
    """
    try:
        return find_run(text), None
    except RunError:
        match = _WITH_EPOCH.fullmatch(text)
        if match is None:
            raise
    return find_run(match[1]), int(match[2])


def from_run(run: Run, network: Network, epoch: int | None = None) -> StartWeights:
    """The best weights of a run, or those of an epoch that it has kept, and how it normalized images.

    Raises RunError or CheckpointError.
    """
    model = run.model() if epoch is None else model_at(run, resolve_epoch(run, epoch))
    return from_network(
        run_source(run.folder, epoch),
        model.network,
        model.state_dict(),
        network,
        notice=run.weights_notice,
        normalization=run.normalization,
    )
