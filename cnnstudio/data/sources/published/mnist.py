"""MNIST: 70,000 handwritten digits (LeCun et al. 1998)."""

from __future__ import annotations

from cnnstudio.data.sources.published.idx_files import IdxSet
from cnnstudio.data.sources.published.release import PublishedFile, Release


class Mnist(IdxSet):
    """The digits 0 to 9, white on black."""

    name = "mnist"
    title = "MNIST"
    description = "70,000 gray images, 28 × 28, of handwritten digits (12 MB download)"
    license = "not stated by its authors"
    citation = (
        "Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner: Gradient-Based Learning Applied to "
        "Document Recognition, Proceedings of the IEEE, 1998."
    )
    homepage = "http://yann.lecun.com/exdb/mnist/"
    torchvision_class = "MNIST"
    official = Release(
        files=(
            PublishedFile("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
            PublishedFile("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
            PublishedFile("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
            PublishedFile("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
        ),
        mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    )
    classes = tuple("0123456789")
