"""A run's checkpoints on the disk. A killed process never leaves half of one.

The folder holds data files, each written once and never changed, and three small manifests that name data
files with their SHA-256: `last`, `previous` (the one before `last`) and `best`. The order of writing is what
makes this safe at any moment of a kill or a power cut:

1. The data files are written, each to a temporary file, fsynced and renamed (`write_atomically`).
2. Only then is the manifest that names them replaced, in the same way. It names either the old files, which
   are still there, or the new ones, which are complete.
3. Only then are data files removed that no manifest names any more. A kill before that leaves files that
   the next save removes.

`previous` is there for a disk that damages a file later on: the SHA-256 shows it, and the run resumes from
the checkpoint before. The trainer's metadata is in the manifest, not in the data file, so that the same
weights always give the same bytes; the manifest has a SHA-256 of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import (
    MAX_JSON_BYTES,
    FileError,
    read_json,
    read_regular,
    write_atomically,
    write_json,
)
from cnnstudio.core.parameters import shorten

FORMAT = "cnnstudio.checkpoint"
VERSION = 2
"""Version 1 had the metadata in the weights' file and no SHA-256 of the manifest."""
NAMES = ("last", "previous", "best")
_MAX_TENSOR_BYTES = 4 * 2**30
_WEIGHT_TYPES = frozenset({torch.float32, torch.int64})
"""Of all weights, statistics and counters that a model has."""
_STATE_TYPES = _WEIGHT_TYPES | {
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int32,
    torch.uint8,
    torch.bool,
}
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}\.safetensors")


class CheckpointError(UserError):
    """A checkpoint that cannot be used; the message says why."""


class NewerCheckpointError(CheckpointError):
    """A checkpoint of a newer program. It is not damaged, so no older one may be used in its place."""


class MisfitError(CheckpointError):
    """A checkpoint that is intact but does not fit what was requested, which no older one would either."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights by their names in the model, the trainer's metadata, and the tensors needed to resume."""

    weights: dict[str, Tensor]
    info: dict[str, Any]
    state: dict[str, Tensor] = field(default_factory=dict)


class CheckpointStore:
    """Reads and writes the checkpoints of one run in `folder`.

    `require_own` gets the metadata of each checkpoint that is read, and raises CheckpointError for one of
    another run.
    """

    def __init__(
        self, folder: Path, require_own: Callable[[Mapping[str, Any]], None] = lambda info: None
    ) -> None:
        self.folder = folder
        self._require_own = require_own

    def save(self, stem: str, checkpoint: Checkpoint, *, best: bool = False) -> None:
        """Writes a checkpoint as `last`; what was `last` becomes `previous`. With `best`, as that too.

        `stem` is the name of the data files, such as `epoch-00003`. Raises FileError; then the manifests that
        were there still name complete files.
        """
        try:
            manifest = self._write_weights(stem, checkpoint)
            best_manifest = with_checksum(manifest)
            is_first = "last" not in self
            # `best` before `last`: a resumed run expects the best epoch that its position tells of. But a run
            # that has no `last` yet could not resume from `best` to the same result.
            if best and not is_first:
                write_json(self._manifest("best"), best_manifest)
            manifest["state"] = self._write(f"{stem}.state.safetensors", checkpoint.state)
            self._keep_last_as_previous()
            write_json(self._manifest("last"), with_checksum(manifest))
            if best and is_first:
                write_json(self._manifest("best"), best_manifest)
        except FileError:
            # The disk is probably full, so what was written of this checkpoint must not stay.
            self._remove_unreferenced()
            raise
        self._remove_unreferenced()

    def save_best(self, stem: str, checkpoint: Checkpoint) -> None:
        """Writes the checkpoint only as `best`, without its state. Raises FileError."""
        write_json(self._manifest("best"), with_checksum(self._write_weights(stem, checkpoint)))

    def load(self, name: str = "best", *, with_state: bool = False) -> Checkpoint:
        """The checkpoint of that name, verified. Raises CheckpointError."""
        try:
            manifest = read_json(self._manifest(name))
        except FileError as error:
            if not self._manifest(name).exists():
                raise CheckpointError(f"There is no checkpoint “{name}” in {self.folder}.") from None
            raise CheckpointError(f"The checkpoint “{name}” is damaged: {error}") from None
        version = manifest.get("version") if isinstance(manifest, dict) else None
        if not isinstance(version, int) or manifest.get("format") != FORMAT:
            raise CheckpointError(f"{self._manifest(name)} is not a CNN Studio checkpoint.")
        if version > VERSION:
            raise NewerCheckpointError(
                f"The checkpoint “{name}” was written by a newer CNN Studio (format {version}; this one "
                f"reads up to {VERSION}): update the program to use it."
            )
        if not _is_intact(manifest):
            raise CheckpointError(
                f"The checkpoint “{name}” is damaged: {name}.json does not match its SHA-256."
            )
        weights, info = self._read(name, manifest.get("weights"))
        # `best` has no state.
        has_state = with_state and (name != "best" or "state" in manifest)
        state = self._read(name, manifest.get("state"))[0] if has_state else {}
        info = manifest.get("info", info)
        if not isinstance(info, dict):
            raise CheckpointError(f"The checkpoint “{name}” is damaged: metadata is missing.")
        self._require_own(info)
        _require_types(name, weights, _WEIGHT_TYPES)
        _require_types(name, state, _STATE_TYPES)
        # No training saves such values. An optimizer's second moments may overflow to infinity without harm.
        invalid = [key for key, value in weights.items() if not bool(torch.isfinite(value).all())]
        invalid += [key for key, value in state.items() if bool(torch.isnan(value).any())]
        if invalid:
            raise CheckpointError(
                f"The checkpoint “{name}” is damaged: {invalid[0]} contains NaN or infinite values."
            )
        return Checkpoint(weights, info, state)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and os.path.lexists(self._manifest(name))

    def _manifest(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _write_weights(self, stem: str, checkpoint: Checkpoint) -> dict[str, Any]:
        """Writes the weights; returns the manifest that names them, without state."""
        weights = self._write(f"{stem}.safetensors", checkpoint.weights)
        return {"format": FORMAT, "version": VERSION, "info": checkpoint.info, "weights": weights}

    def _keep_last_as_previous(self) -> None:
        """Copies the manifest `last` to `previous`, unless it cannot be used: then `previous` is needed."""
        # Copied, not renamed, so that there is a `last` at every moment.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            data = read_regular(self._manifest("last"), MAX_JSON_BYTES)
            manifest = json.loads(data)
            if _is_intact(manifest):
                with contextlib.suppress(CheckpointError):
                    self._require_own(manifest.get("info", {}))
                    write_atomically(self._manifest("previous"), data)

    def _write(self, file: str, tensors: Mapping[str, Tensor]) -> dict[str, str]:
        # Files hold the contiguous layout, whatever the layout in memory (channels_last) is.
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        data = safetensors.torch.save(contiguous)
        write_atomically(self.folder / file, data)
        return {"file": file, "sha256": hashlib.sha256(data).hexdigest()}

    def _read(self, name: str, entry: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The tensors, and the metadata that files of version 1 have beside them. Raises CheckpointError."""
        file_name = entry.get("file") if isinstance(entry, dict) else None
        if not isinstance(file_name, str) or not _FILE_NAME.fullmatch(file_name):
            raise CheckpointError(f"The checkpoint “{name}” is damaged: the manifest names no data file.")
        try:
            data = read_regular(self.folder / file_name, _MAX_TENSOR_BYTES)
        except OSError as error:
            raise CheckpointError(
                f"The checkpoint “{name}” is incomplete: {file_name} cannot be read ({error.strerror})."
            ) from None
        if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
            raise CheckpointError(
                f"The checkpoint “{name}” is damaged: {file_name} does not match its SHA-256."
            )
        try:
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            info = json.loads(header.get("__metadata__", {}).get("info", "{}"))
            return safetensors.torch.load(data), info
        # Whoever wrote the file could put anything into its header.
        except (SafetensorError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise CheckpointError(f"The checkpoint “{name}” is damaged: {shorten(str(error))}.") from None

    def _remove_unreferenced(self) -> None:
        """Removes data files that no manifest names, and temporary files that a killed process left."""
        referenced = set()
        for name in NAMES:
            with contextlib.suppress(FileError, TypeError, KeyError, AttributeError):
                manifest = read_json(self._manifest(name))
                referenced |= {manifest[part]["file"] for part in ("weights", "state") if part in manifest}
        # A file that cannot be removed costs space, not correctness.
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if path.name not in referenced and path.suffix in (".safetensors", ".tmp"):
                    path.unlink()


def _require_types(name: str, tensors: Mapping[str, Tensor], allowed: Collection[torch.dtype]) -> None:
    """Raises CheckpointError for types that no training saves, some of which torch cannot even compare."""
    for key, value in sorted(tensors.items()):
        if value.dtype not in allowed:
            found = str(value.dtype).removeprefix("torch.")
            raise CheckpointError(f"The checkpoint “{name}” is damaged: {key} has values of type {found}.")


def with_checksum(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with a `sha256` of all its other entries."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return {**content, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _is_intact(manifest: Any) -> bool:
    """Whether the manifest is as it was written. One with NaN or infinity is not: JSON has neither."""
    if not isinstance(manifest, dict):
        return False
    try:
        return manifest.get("version") == 1 or with_checksum(manifest) == manifest
    except (ValueError, TypeError, RecursionError):
        return False


def restore_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Loads the weights into the model. Raises CheckpointError if they belong to another design."""
    require_same_shapes(weights, model.state_dict())
    model.load_state_dict(dict(weights))


def require_same_shapes(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raises CheckpointError if the weights are not those of the design that has the expected ones."""
    for key in sorted(expected.keys() ^ weights.keys()):
        if key in expected:
            raise CheckpointError(f"The checkpoint belongs to another design: it has no {key}.")
        raise CheckpointError(f"The checkpoint belongs to another design: this one has no {key}.")
    for key, tensor in expected.items():
        if tensor.shape != weights[key].shape:
            raise CheckpointError(
                f"The checkpoint belongs to another design: its {key} is {_format_shape(weights[key])}, "
                f"this one's is {_format_shape(tensor)}."
            )


def _format_shape(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "a single number"
