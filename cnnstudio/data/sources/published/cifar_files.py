"""Reads the files of CIFAR-10 and CIFAR-100 with torchvision's classes."""

from __future__ import annotations

import warnings
from pathlib import Path, PurePosixPath

import numpy as np

from cnnstudio.data.dataset import Split, from_channels_last
from cnnstudio.data.sources.published.published_set import PublishedSet
from cnnstudio.data.torchvision_import import import_torchvision


def read_cifar(
    source: PublishedSet, class_name: str, label_key: str, folder: Path, *, train: bool
) -> tuple[Split, tuple[str, ...]]:
    """One split, read with torchvision's class, which verifies each file's MD5 before it unpickles it.

    The files are pickles, which can run any code when loaded. The checksum is the only protection, so a file
    is never unpickled unless it is one of the published ones.
    """
    parts: dict[str, list[list[str]]] = {"train": [], "test": [], "meta": []}
    for member, md5 in source.release.contents.items():
        name = PurePosixPath(member).name
        kind = "test" if name.startswith("test") else "meta" if name.endswith("meta") else "train"
        parts[kind].append([name, md5])
    ((names, names_md5),) = parts["meta"]
    reader = type(
        "Release",
        (getattr(import_torchvision().datasets, class_name),),
        {
            "base_folder": next(iter(source.release.contents)).partition("/")[0],
            "train_list": parts["train"],
            "test_list": parts["test"],
            "meta": {"filename": names, "key": label_key, "md5": names_md5},
        },
    )
    try:
        with warnings.catch_warnings():
            # WORKAROUND pytorch/vision #9340: the files were pickled by a numpy of 2009, and numpy 2.4 warns
            # of the way they spell a dtype.
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
            part = reader(folder, train=train)
    except (RuntimeError, OSError) as error:
        raise source.damaged(error) from error
    return Split(from_channels_last(part.data), np.array(part.targets, np.int64)), tuple(part.classes)
