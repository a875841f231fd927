"""STL-10: 13,000 labeled photographs of 96 × 96 pixels (Coates, Lee, Ng 2011)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnstudio.data.dataset import Split
from cnnstudio.data.sources.published.published_set import PublishedSet
from cnnstudio.data.sources.published.release import PublishedFile, Release
from cnnstudio.data.torchvision_import import import_torchvision

_FOLDER = "stl10_binary"


class Stl10(PublishedSet):
    """The labeled images of the set; its 100,000 images without labels are not unpacked."""

    name = "stl10"
    title = "STL-10"
    description = "13,000 color photos, 96 × 96, of animals and vehicles in ten classes (2.6 GB download)"
    license = "not stated by its authors; the photos come from ImageNet"
    citation = (
        "Adam Coates, Honglak Lee, Andrew Y. Ng: An Analysis of Single Layer Networks in Unsupervised "
        "Feature Learning, AISTATS 2011."
    )
    homepage = "https://cs.stanford.edu/~acoates/stl10/"
    official = Release(
        files=(
            PublishedFile(
                "stl10_binary.tar.gz",
                "91f7769df0f17e558f3565bffb0c7dfb",
                2_640_397_119,
                {
                    f"{_FOLDER}/train_X.bin": "918c2871b30a85fa023e0c44e0bee87f",
                    f"{_FOLDER}/train_y.bin": "5a34089d4802c674881badbb80307741",
                    f"{_FOLDER}/test_X.bin": "7f263ba9f9e0b06b93213547f721ac82",
                    f"{_FOLDER}/test_y.bin": "36f9794fa4beb8a2c72628de14fa638e",
                },
            ),
        ),
        mirrors=("http://ai.stanford.edu/~acoates/stl10/", "https://cs.stanford.edu/~acoates/stl10/"),
        unpacked_bytes=360_000_000,
        max_unpacked_bytes=4_000_000_000,
    )
    classes = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
    shape = (3, 96, 96)
    counts = (5_000, 8_000)

    def read_split(self, folder: Path, *, train: bool) -> tuple[Split, tuple[str, ...]]:
        """One split, read with torchvision's class, which verifies the MD5 of all files first."""
        lists: dict[str, list[list[str]]] = {"train": [], "test": []}
        for member, md5 in self.release.contents.items():
            base, _, name = member.partition("/")
            lists[name.partition("_")[0]].append([name, md5])
        reader = type(
            "Release",
            (import_torchvision().datasets.STL10,),
            {"base_folder": base, "train_list": lists["train"], "test_list": lists["test"]},
        )
        try:
            part = reader(folder, split="train" if train else "test")
        except (RuntimeError, OSError, ValueError) as error:
            raise self.damaged(error) from error
        return Split(part.data, part.labels.astype(np.int64)), self.classes
