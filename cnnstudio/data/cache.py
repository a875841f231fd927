"""Data sets kept as one .npz file each, so that the second loading takes a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cnnstudio.data.dataset import Dataset, Split, as_channels_last, from_channels_last
from cnnstudio.files import FileError, replacing

_KEPT_AT_MOST = 1_000_000_000  # bytes of pixels; larger sets are read from their source each time


def keep(path: Path, key: str, dataset: Dataset) -> None:
    """Write `dataset`, made from what `key` describes. A full or read-only disk costs speed next time."""
    if dataset.train.images.nbytes + dataset.test.images.nbytes > _KEPT_AT_MOST:
        return
    about = {
        "key": key,
        "name": dataset.name,
        "title": dataset.title,
        "classes": dataset.classes,
        "notes": dataset.notes,
        "sha256": dataset.fingerprint,
    }
    try:
        with replacing(path) as file:
            np.savez(
                file,
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
                train_images=as_channels_last(dataset.train.images),
                train_labels=dataset.train.labels,
                test_images=as_channels_last(dataset.test.images),
                test_labels=dataset.test.labels,
            )
    except FileError:
        return


def kept(path: Path, key: str) -> Dataset | None:
    """What `keep` wrote for that very key; None where there is nothing, something else or damage."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            about: dict[str, Any] = json.loads(arrays["about"].tobytes())
            if about["key"] != key:
                return None
            dataset = Dataset(
                about["name"],
                about["title"],
                tuple(about["classes"]),
                Split(from_channels_last(arrays["train_images"]), arrays["train_labels"]),
                Split(from_channels_last(arrays["test_images"]), arrays["test_labels"]),
                tuple(about["notes"]),
            )
    except Exception:  # a damaged zip raises almost anything, and the answer is always to make it anew
        return None
    return dataset if dataset.fingerprint == about["sha256"] else None
