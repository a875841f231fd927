"""Small archives for tests, valid and malicious ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import re
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnstudio.data.sources.published.cifar10 import Cifar10
from cnnstudio.data.sources.published.release import PublishedFile, Release


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
    return _archived(path, {f"small/{name}": data for name, data in files.items()}, extra)


def small_cifar100(path: Path) -> Release:
    """The same for CIFAR-100: 4 training and 2 test images, with coarse labels too."""
    random = np.random.default_rng(0)
    names = [f"class-{number}" for number in range(100)]
    meta = {"fine_label_names": names, "coarse_label_names": ["animals"] * 20}
    files = {
        "train": _batch(random, 4, "fine_labels", 100),
        "test": _batch(random, 2, "fine_labels", 100),
        "meta": pickle.dumps(meta, protocol=2),
    }
    return _archived(path, {f"small-100/{name}": data for name, data in files.items()})


def small_stl10(path: Path) -> Release:
    """The same for STL-10: 3 training and 2 test images, and some without labels."""
    files = {"unlabeled_X.bin": bytes(27_648)}
    for part, count in (("train", 3), ("test", 2)):
        # Column by column, as the authors' files are: the first value of a column is the top of the image.
        columns = np.zeros((count, 3, 96, 96), np.uint8)
        columns[:, 0, :, 0] = 200
        files[f"{part}_X.bin"] = columns.tobytes()
        files[f"{part}_y.bin"] = bytes(range(1, count + 1))
    wanted = {f"small/{name}": data for name, data in files.items() if "unlabeled" not in name}
    return _archived(path, wanted, {"small/unlabeled_X.bin": files["unlabeled_X.bin"]})


def small_idx(folder: Path) -> Release:
    """Writes four files like those of MNIST, with 4 training and 2 test images."""
    random = np.random.default_rng(0)
    files = []
    for part, count in (("train", 4), ("t10k", 2)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        contents = {
            f"{part}-images-idx3-ubyte.gz": struct.pack(">4I", 0x803, count, 28, 28) + images.tobytes(),
            f"{part}-labels-idx1-ubyte.gz": struct.pack(">2I", 0x801, count) + bytes(range(count)),
        }
        for name, content in contents.items():
            data = gzip.compress(content)
            folder.joinpath(name).write_bytes(data)
            files.append(PublishedFile(name, md5(data), len(data)))
    return Release(tuple(files), ("http://localhost/",))


def _archived(path: Path, files: Mapping[str, bytes], extra: Mapping[str, bytes] | None = None) -> Release:
    write_archive(path, dict(files) | dict(extra or {}))
    data = path.read_bytes()
    members = {name: md5(content) for name, content in files.items()}
    published = PublishedFile(path.name, md5(data), len(data), members)
    return Release((published,), ("https://www.example.org/",))


def _batch(random: np.random.Generator, count: int, labels: str = "labels", classes: int = 10) -> bytes:
    images = random.integers(0, 256, (count, 3072), dtype=np.uint8)
    data = pickle.dumps({"data": images, labels: random.integers(0, classes, count).tolist()}, protocol=2)
    # As in the real files: numpy of 2009 wrote the two flags of a dtype as 0 and 1.
    old, changes = re.subn(
        rb"(u1q.)\x89\x88\x87", lambda match: match[1] + b"K\x00K\x01\x87", data, flags=re.DOTALL
    )
    assert changes == 1
    return old
