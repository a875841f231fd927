"""Small archives for tests, valid and malicious ones."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnstudio.data.sources.cifar10 import Cifar10, Release


def write_archive(path: Path, members: Mapping[str, bytes | tarfile.TarInfo]) -> Path:
    """Writes a .tar.gz with the given files, or prepared entries, in that order."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def small_cifar10(path: Path, extra: Mapping[str, bytes] | None = None) -> Release:
    """Writes an archive like CIFAR-10's with 5 training and 2 test images; returns what it contains."""
    random = np.random.default_rng(0)
    counts = {"data_batch_1": 3, "data_batch_2": 2, "test_batch": 2}
    files = {name: _batch(random, count) for name, count in counts.items()}
    files["batches.meta"] = pickle.dumps({"label_names": list(Cifar10.classes)}, protocol=2)
    write_archive(path, {f"small/{name}": data for name, data in files.items()} | dict(extra or {}))
    data = path.read_bytes()
    return Release(
        archive_md5=md5(data),
        archive_size=len(data),
        folder="small",
        train=tuple((name, md5(files[name])) for name in ("data_batch_1", "data_batch_2")),
        test=(("test_batch", md5(files["test_batch"])),),
        names=("batches.meta", md5(files["batches.meta"])),
    )


def _batch(random: np.random.Generator, count: int) -> bytes:
    images = random.integers(0, 256, (count, 3072), dtype=np.uint8)
    data = pickle.dumps({"data": images, "labels": random.integers(0, 10, count).tolist()}, protocol=2)
    # As in the real files: numpy of 2009 wrote the two flags of a dtype as 0 and 1.
    old, changes = re.subn(
        rb"(u1q.)\x89\x88\x87", lambda match: match[1] + b"K\x00K\x01\x87", data, flags=re.DOTALL
    )
    assert changes == 1
    return old
