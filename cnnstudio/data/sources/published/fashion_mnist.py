"""Fashion-MNIST: 70,000 images of clothes in the format of MNIST (Xiao, Rasul, Vollgraf 2017)."""

from __future__ import annotations

from cnnstudio.data.sources.published.idx_files import IdxSet
from cnnstudio.data.sources.published.release import PublishedFile, Release


class FashionMnist(IdxSet):
    """Harder than MNIST at the same size."""

    name = "fashion_mnist"
    title = "Fashion-MNIST"
    description = "70,000 gray images, 28 × 28, of clothes in ten classes (31 MB download)"
    license = "MIT (Zalando SE)"
    citation = (
        "Han Xiao, Kashif Rasul, Roland Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking "
        "Machine Learning Algorithms, 2017. arXiv:1708.07747."
    )
    homepage = "https://github.com/zalandoresearch/fashion-mnist"
    torchvision_class = "FashionMNIST"
    official = Release(
        files=(
            PublishedFile("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
            PublishedFile("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515),
            PublishedFile("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102),
            PublishedFile("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
        ),
        mirrors=(
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
    )
    classes = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag"),
        "Ankle boot",
    )
