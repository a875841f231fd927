"""Weights on disk, and what it takes to go on from them. A killed process never leaves half of it.

A folder holds data files, each written once, and three small manifests that name data files with their
SHA-256: `last`, `previous` (the one before it) and `best`. A manifest is replaced only after the files that
it names are on the disk, so each manifest is whole at any moment, whatever happened. Data files that no
manifest names are removed. The trainer's notes stand in the manifest, under its own SHA-256, so that the same
weights are always the same file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import FileError, read_json, write_atomically, write_json
from cnnstudio.core.parameters import shorten

FORMAT = "cnnstudio.checkpoint"
VERSION = 2
"""The first had the notes in the weights' file, and no SHA-256 of the manifest."""
NAMES = ("last", "previous", "best")
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}\.safetensors")


class CheckpointError(UserError):
    """A checkpoint that cannot be used; the message says why."""


class NewerCheckpointError(CheckpointError):
    """A checkpoint of a newer program: there is nothing wrong with it."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights by their names in the model, the trainer's own notes, and the tensors needed to go on."""

    weights: dict[str, Tensor]
    info: dict[str, Any]
    state: dict[str, Tensor] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, stem: str, checkpoint: Checkpoint, *, best: bool = False) -> None:
        """Writes a checkpoint as `last`, which becomes `previous`, and as `best` if asked for.

        Raises FileError.

        `stem` names the data files, such as `epoch-00003`, and is used for nothing else.
        """
        try:
            manifest = self._with_weights(stem, checkpoint)
            if best:
                write_json(self._manifest("best"), sealed(manifest))
            manifest["state"] = self._write(f"{stem}.state.safetensors", checkpoint.state)
            with contextlib.suppress(OSError):
                write_atomically(self._manifest("previous"), self._manifest("last").read_bytes())
            write_json(self._manifest("last"), sealed(manifest))
        except FileError:
            # What is half of it would only keep a full disk full.
            self._remove_unnamed()
            raise
        self._remove_unnamed()

    def save_best(self, stem: str, checkpoint: Checkpoint) -> None:
        """Writes the checkpoint as `best` alone, without its state. Raises FileError."""
        write_json(self._manifest("best"), sealed(self._with_weights(stem, checkpoint)))

    def load(self, name: str = "best", *, with_state: bool = False) -> Checkpoint:
        """The checkpoint of that name, checked. Raises CheckpointError."""
        try:
            manifest = read_json(self._manifest(name))
        except FileError as error:
            if not self._manifest(name).exists():
                raise CheckpointError(f"There is no checkpoint “{name}” in {self.folder}.") from None
            raise CheckpointError(f"The checkpoint “{name}” is damaged: {error}") from None
        version = manifest.get("version") if isinstance(manifest, dict) else None
        if not isinstance(version, int) or manifest.get("format") != FORMAT:
            raise CheckpointError(f"{self._manifest(name)} is no checkpoint of CNN Studio.")
        if version > VERSION:
            raise NewerCheckpointError(
                f"The checkpoint “{name}” was written by a newer CNN Studio (format {version}; this one "
                f"reads up to {VERSION}): update the program to use it."
            )
        if version > 1 and sealed(manifest) != manifest:
            raise CheckpointError(
                f"The checkpoint “{name}” is damaged: {name}.json is not what was written, by its SHA-256."
            )
        weights, info = self._read(name, manifest.get("weights"))
        state = self._read(name, manifest.get("state"))[0] if with_state else {}
        info = manifest.get("info", info)
        if not isinstance(info, dict):
            raise CheckpointError(f"The checkpoint “{name}” is damaged: its notes are none.")
        # What an optimizer remembers may grow beyond all numbers without harm; no training writes the rest.
        spoilt = [key for key, value in weights.items() if not bool(torch.isfinite(value).all())]
        spoilt += [key for key, value in state.items() if bool(torch.isnan(value).any())]
        if spoilt:
            raise CheckpointError(
                f"The checkpoint “{name}” is damaged: {spoilt[0]} holds values that are no numbers."
            )
        return Checkpoint(weights, info, state)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._manifest(name).is_file()

    def _manifest(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _with_weights(self, stem: str, checkpoint: Checkpoint) -> dict[str, Any]:
        """The beginning of a manifest, for weights that are on the disk now."""
        weights = self._write(f"{stem}.safetensors", checkpoint.weights)
        return {"format": FORMAT, "version": VERSION, "info": checkpoint.info, "weights": weights}

    def _write(self, file: str, tensors: Mapping[str, Tensor]) -> dict[str, str]:
        # The layout in memory (channels_last) is the device's matter; files hold the plain order.
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        data = safetensors.torch.save(plain)
        write_atomically(self.folder / file, data)
        return {"file": file, "sha256": hashlib.sha256(data).hexdigest()}

    def _read(self, name: str, entry: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The tensors, and the notes that files of the first version have beside them."""
        file_name = entry.get("file") if isinstance(entry, dict) else None
        if not isinstance(file_name, str) or not _FILE_NAME.fullmatch(file_name):
            raise CheckpointError(f"The checkpoint “{name}” is damaged: it does not name its file.")
        try:
            data = (self.folder / file_name).read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"The checkpoint “{name}” is incomplete: {file_name} cannot be read ({error.strerror})."
            ) from None
        if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
            raise CheckpointError(
                f"The checkpoint “{name}” is damaged: {file_name} is not what was written, by its SHA-256."
            )
        try:
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            info = json.loads(header.get("__metadata__", {}).get("info", "{}"))
            return safetensors.torch.load(data), info
        except (SafetensorError, ValueError) as error:
            raise CheckpointError(f"The checkpoint “{name}” is damaged: {shorten(str(error))}.") from None

    def _remove_unnamed(self) -> None:
        """Removes data files that no manifest names, and what a killed process left of others."""
        named = set()
        for name in NAMES:
            with contextlib.suppress(FileError, TypeError, KeyError):
                manifest = read_json(self._manifest(name))
                named |= {manifest[part]["file"] for part in ("weights", "state") if part in manifest}
        # What cannot be removed now costs space, not correctness.
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if path.name not in named and path.suffix in (".safetensors", ".tmp"):
                    path.unlink()


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with the SHA-256 of all that it says otherwise."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return {**content, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def restore_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Gives the model these weights. Raises CheckpointError where they belong to another design."""
    expected = model.state_dict()
    for key in sorted(expected.keys() ^ weights.keys()):
        if key in expected:
            raise CheckpointError(f"The checkpoint belongs to another design: it has no {key}.")
        raise CheckpointError(f"The checkpoint belongs to another design: this one has no {key}.")
    for key, tensor in expected.items():
        if tensor.shape != weights[key].shape:
            raise CheckpointError(
                f"The checkpoint belongs to another design: its {key} has the shape {_sizes(weights[key])}, "
                f"this one's {_sizes(tensor)}."
            )
    model.load_state_dict(dict(weights))


def _sizes(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "of one number"
