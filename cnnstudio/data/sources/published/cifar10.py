"""CIFAR-10: 60,000 small photographs in ten classes (Krizhevsky 2009)."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.data.dataset import Split
from cnnstudio.data.sources.published.cifar_files import read_cifar
from cnnstudio.data.sources.published.published_set import PublishedSet
from cnnstudio.data.sources.published.release import PublishedFile, Release

_FOLDER = "cifar-10-batches-py"
_MEMBERS = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
OFFICIAL = Release(
    files=(
        PublishedFile(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            170_498_071,
            {f"{_FOLDER}/{name}": md5 for name, md5 in _MEMBERS.items()},
        ),
    ),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    unpacked_bytes=190_000_000,
)


class Cifar10(PublishedSet):
    """60,000 photographs in ten classes."""

    name = "cifar10"
    title = "CIFAR-10"
    description = "60,000 color photos, 32 × 32, of animals and vehicles in ten classes (170 MB download)"
    license = "not stated by its authors"
    citation = "Alex Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009."
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"
    official = OFFICIAL
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    shape = (3, 32, 32)
    counts = (50_000, 10_000)

    def read_split(self, folder: Path, *, train: bool) -> tuple[Split, tuple[str, ...]]:
        return read_cifar(self, "CIFAR10", "label_names", folder, train=train)
