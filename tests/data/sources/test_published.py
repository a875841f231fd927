"""The published data sets, from small copies in their own formats on a local server."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources import find_source, sources
from cnnstudio.data.sources.published.cifar100 import Cifar100
from cnnstudio.data.sources.published.fashion_mnist import FashionMnist
from cnnstudio.data.sources.published.getting import discard_download
from cnnstudio.data.sources.published.mnist import Mnist
from cnnstudio.data.sources.published.published_set import PublishedSet
from cnnstudio.data.sources.published.release import PublishedFile, Release
from cnnstudio.data.sources.published.stl10 import Stl10
from cnnstudio.data.transfer.response import RetryPolicy
from tests.data.archives import md5, small_cifar100, small_idx, small_stl10
from tests.data.server import Behavior, Server

FAST_RETRY = RetryPolicy(stall_timeout=0.5, max_attempts=2, delay=0.01)


def small(kind: type[PublishedSet], folder: Path) -> PublishedSet:
    """The set with a small release, whose files are in the folder."""
    folder.mkdir(exist_ok=True)
    make: dict[type[PublishedSet], Callable[[], Release]] = {
        Cifar100: lambda: small_cifar100(folder / "cifar-100-python.tar.gz"),
        Stl10: lambda: small_stl10(folder / "stl10_binary.tar.gz"),
        Mnist: lambda: small_idx(folder),
        FashionMnist: lambda: small_idx(folder),
    }
    return kind(make[kind](), FAST_RETRY)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", [Cifar100, Mnist, FashionMnist, Stl10])
def test_a_download_and_the_users_own_copy_give_the_same_images(
    kind: type[PublishedSet], tmp_path: Path
) -> None:
    source = small(kind, tmp_path / "own")
    reports: list[Progress] = []
    with Server(b"", files=files_in(tmp_path / "own")) as server:
        source.download(reports.append, url=f"{server.address}/")
    assert source.available()
    assert source.info()["downloaded_bytes"] in (0, source.release.size)
    assert not list(source.folder.glob("*.tar.gz"))
    downloaded = source.load()
    assert downloaded.shape == kind.shape
    assert downloaded.name == kind.name
    steps = [report.done for report in reports if report.text.startswith("Downloading")]
    assert steps == sorted(steps)
    assert steps[-1] == source.release.size

    source.import_archive(tmp_path / "own" / source.archive_name)
    assert source.load().fingerprint == downloaded.fingerprint


def test_the_hundred_fine_labels_are_the_classes(tmp_path: Path) -> None:
    source = small(Cifar100, tmp_path)
    source.import_archive(tmp_path / source.archive_name)
    data = source.load()
    assert data.classes[:2] == ("class-0", "class-1")
    assert len(data.classes) == len(Cifar100.classes) == 100
    assert (len(data.train), len(data.test)) == (4, 2)


def test_digits_are_gray_images(tmp_path: Path) -> None:
    source = small(Mnist, tmp_path)
    source.import_archive(tmp_path / "t10k-labels-idx1-ubyte.gz")
    data = source.load()
    assert data.train.images.shape == (4, 1, 28, 28)
    first = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    assert np.array_equal(data.train.images[:, 0], first)
    assert data.test.labels.tolist() == [0, 1]
    assert not list(source.folder.glob(".cnnstudio-*"))


def test_stl10_images_are_upright(tmp_path: Path) -> None:
    source = small(Stl10, tmp_path)
    source.import_archive(tmp_path / source.archive_name)
    data = source.load()
    assert data.train.images.shape == (3, 3, 96, 96)
    assert (data.train.images[0, 0, 0] == 200).all()
    assert (data.train.images[0, 0, 1:] == 0).all()
    assert data.train.labels.tolist() == [0, 1, 2]
    assert not list(source.folder.rglob("unlabeled*"))


def test_the_next_mirror_continues_what_another_one_began(tmp_path: Path) -> None:
    source = small(Stl10, tmp_path)
    whole = (tmp_path / source.archive_name).read_bytes()
    broken = [Behavior(drop_after=300), Behavior(status=404)]
    with Server(whole, broken) as first, Server(whole) as second:
        (file,) = source.release.files
        release = Release((file,), (f"{first.address}/", f"{second.address}/"))
        mirrored = Stl10(release, FAST_RETRY)
        mirrored.download()
    assert second.requested_ranges == ["bytes=300-"]
    assert mirrored.available()


def test_all_mirrors_that_fail_are_one_sentence(tmp_path: Path) -> None:
    with Server(b"", [Behavior(status=404)]) as server:
        release = Release(
            (PublishedFile("a.gz", md5(b"a"), 1),), (f"{server.address}/", f"{server.address}/x/")
        )
        with pytest.raises(DataError, match=r"answered 404 .*\(1 other address did not work either"):
            Mnist(release, FAST_RETRY).download()


def test_an_interrupted_download_is_said_and_can_be_discarded(tmp_path: Path) -> None:
    source = small(Stl10, tmp_path)
    whole = (tmp_path / source.archive_name).read_bytes()
    drops = [Behavior(drop_after=250)] * 3
    with Server(whole, drops) as server, pytest.raises(DataError, match="lost after"):
        source.download(url=server.url)
    assert source.info()["downloaded_bytes"] >= 250
    discard_download(source.release, source.folder)
    assert source.info()["downloaded_bytes"] == 0


def test_discarding_leaves_none_of_several_files_unless_all_are_there(tmp_path: Path) -> None:
    files = tuple(PublishedFile(f"{name}.gz", md5(b"a"), 1) for name in "ab")
    source = Mnist(Release(files, ()), FAST_RETRY)
    source.folder.mkdir(parents=True)
    (source.folder / "a.gz").write_bytes(b"a")
    (source.folder / "b.gz.part").write_bytes(b"")
    source.discard_download()
    assert source.info()["downloaded_bytes"] == 0
    assert list(source.folder.iterdir()) == []
    for file in files:
        (source.folder / file.name).write_bytes(b"a")
    source.discard_download()
    assert source.available()


def test_a_full_disk_is_said_before_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnstudio.data.storage import free_space

    class Usage:
        free = 10**9

    monkeypatch.setattr(free_space.shutil, "disk_usage", lambda folder: Usage)
    with pytest.raises(DataError, match=r"STL-10 needs 3\.0 GB on disk, but only 900 MB can be used"):
        Stl10().download(url="http://127.0.0.1:1/")


def test_a_file_that_is_missing_beside_the_others_is_named(tmp_path: Path) -> None:
    source = small(Mnist, tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"does not have t10k-labels-idx1-ubyte\.gz of the 4 files of MNIST"):
        source.import_archive(tmp_path)
    with pytest.raises(DataError, match="is none of the files of MNIST"):
        source.import_archive(tmp_path / "digits.zip")
    assert not source.available()


def test_files_of_another_set_in_the_same_format_are_refused(tmp_path: Path) -> None:
    source = small(Mnist, tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(5_000_000)))
    with pytest.raises(DataError, match=r"is not .* of MNIST"):
        source.import_archive(tmp_path)


def test_a_file_that_was_changed_on_the_disk_is_not_unpacked(tmp_path: Path) -> None:
    source = small(Mnist, tmp_path)
    source.import_archive(tmp_path)
    (source.folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(10**6)))
    with pytest.raises(DataError, match="are damaged: download it again"):
        source.load()


def test_unpacking_can_be_cancelled_in_the_middle_of_a_member(tmp_path: Path) -> None:
    source = small(Stl10, tmp_path)
    seen: list[Progress] = []

    def cancelled() -> bool:
        return any(report.text.startswith("Unpacking") for report in seen)

    with pytest.raises(Cancelled):
        source.import_archive(tmp_path / source.archive_name, seen.append, cancelled)
    assert not source.available()


def test_every_published_set_states_its_terms() -> None:
    published = [source for source in sources() if isinstance(source, PublishedSet)]
    assert [source.name for source in published] == ["cifar10", "cifar100", "fashion_mnist", "mnist", "stl10"]
    for source in published:
        info = source.info()
        assert info["license"]
        assert info["citation"]
        assert info["homepage"].startswith("http")
        assert (len(info["classes"]), info["shape"]) == (len(set(source.classes)), list(source.shape))
        assert all(mirror.endswith("/") for mirror in source.release.mirrors)


@pytest.mark.parametrize("text", ["fashion-mnist", "Fashion-MNIST", "FashionMNIST", "fashion_mnist"])
def test_a_set_is_found_however_its_name_is_spelled(text: str) -> None:
    assert find_source(text).name == "fashion_mnist"


def test_svhn_is_said_to_be_left_out() -> None:
    with pytest.raises(DataError, match="SVHN is not among the data sets"):
        find_source("svhn")
