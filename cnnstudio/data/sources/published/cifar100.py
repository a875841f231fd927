"""CIFAR-100: as CIFAR-10, with a hundred classes (Krizhevsky 2009)."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.data.dataset import Split
from cnnstudio.data.sources.published.cifar_files import read_cifar
from cnnstudio.data.sources.published.published_set import PublishedSet
from cnnstudio.data.sources.published.release import PublishedFile, Release

_FOLDER = "cifar-100-python"
_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""


class Cifar100(PublishedSet):
    """60,000 photographs, 600 of each class. The 20 larger classes that its authors name are not used."""

    name = "cifar100"
    title = "CIFAR-100"
    description = "60,000 color photos, 32 × 32, in a hundred classes (169 MB download)"
    license = "not stated by its authors"
    citation = "Alex Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009."
    homepage = "https://www.cs.toronto.edu/~kriz/cifar.html"
    official = Release(
        files=(
            PublishedFile(
                "cifar-100-python.tar.gz",
                "eb9058c3a382ffc7106e4002c42a8d85",
                169_001_437,
                {
                    f"{_FOLDER}/train": "16019d7e3df5f24257cddd939b257f8d",
                    f"{_FOLDER}/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
                    f"{_FOLDER}/meta": "7973b15100ade9c7d40fb424638fde48",
                },
            ),
        ),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        unpacked_bytes=190_000_000,
    )
    classes = tuple(_CLASSES.split())
    shape = (3, 32, 32)
    counts = (50_000, 10_000)

    def read_split(self, folder: Path, *, train: bool) -> tuple[Split, tuple[str, ...]]:
        return read_cifar(self, "CIFAR100", "fine_label_names", folder, train=train)
