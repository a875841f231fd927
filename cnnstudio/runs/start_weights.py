"""Finds the weights that a run starts from by what the user names: pretrained ones, a run or a file."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.core.files import exists, is_folder
from cnnstudio.design.network import Network
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run, find_run
from cnnstudio.training.pretrained.catalog import PRETRAINED, PretrainedError
from cnnstudio.training.pretrained.start_weights import (
    SUFFIX,
    StartWeights,
    from_file,
    from_network,
    from_pretrained,
)


def find_start_weights(text: str, network: Network) -> StartWeights:
    """What the network can take of pretrained weights of that name, a safetensors file, or a run.

    Of a run, the best weights. Raises PretrainedError, RunError or CheckpointError.
    """
    if text in PRETRAINED:
        return from_pretrained(text, network)
    path = Path(text)
    if path.suffix.lower() == SUFFIX or (exists(path) and not is_folder(path) and path.suffix != ".zip"):
        return from_file(path, network)
    try:
        run = find_run(text)
    except RunError as error:
        names = ", ".join(PRETRAINED)
        raise PretrainedError(
            f"weights: {error} Name pretrained weights ({names}), a run, or a {SUFFIX} file."
        ) from None
    return from_run(run, network)


def from_run(run: Run, network: Network) -> StartWeights:
    """The best weights of a run, and how it normalized images."""
    model = run.model()
    return from_network(
        str(run.folder),
        model.network,
        model.state_dict(),
        network,
        notice=run.weights_notice,
        normalization=run.normalization,
    )
