"""CIFAR-10, read with torchvision's class, from a server or the user's own archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources import find_source
from cnnstudio.data.sources.published.cifar10 import OFFICIAL, Cifar10
from cnnstudio.data.transfer.response import RetryPolicy
from tests.data.archives import small_cifar10, write_archive
from tests.data.server import Behavior, Server

FAST_RETRY = RetryPolicy(stall_timeout=0.5, max_attempts=2, delay=0.01)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "cifar-10-python.tar.gz"


@pytest.fixture
def source(archive: Path) -> Cifar10:
    return Cifar10(small_cifar10(archive), FAST_RETRY)


@pytest.fixture
def server(source: Cifar10, archive: Path) -> Iterator[Server]:
    with Server(archive.read_bytes()) as running:
        yield running


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_users_own_archive_becomes_the_data_set(source: Cifar10, archive: Path) -> None:
    assert not source.available()
    source.import_archive(archive)
    assert source.available()
    data = source.load()
    assert (data.name, data.title, data.classes) == ("cifar10", "CIFAR-10", Cifar10.classes)
    assert (len(data.train), len(data.test), data.shape) == (5, 2, (3, 32, 32))
    assert data.train.images.dtype == np.uint8
    first = np.random.default_rng(0).integers(0, 256, (3, 3072), dtype=np.uint8)
    assert np.array_equal(data.train.images[:3], first.reshape(3, 3, 32, 32))
    assert archive.exists()


def test_images_are_stored_channels_last(source: Cifar10, archive: Path) -> None:
    source.import_archive(archive)
    assert source.load().train.images.transpose(0, 2, 3, 1).flags.c_contiguous


def test_a_download_gives_the_same_data(source: Cifar10, archive: Path, server: Server) -> None:
    reports: list[Progress] = []
    source.download(reports.append, url=server.url)
    assert files_below(source.folder) == [
        f"small/{name}" for name in ("batches.meta", "data_batch_1", "data_batch_2", "test_batch")
    ]
    fingerprint = source.load().fingerprint
    source.import_archive(archive)
    assert source.load().fingerprint == fingerprint
    assert any(report.text.startswith("Downloading CIFAR-10: ") for report in reports)


def test_the_url_can_be_set_in_the_environment(
    source: Cifar10, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNSTUDIO_CIFAR10_URL", server.url)
    source.download()
    assert source.available()


def test_a_failed_download_leaves_only_the_part_file(source: Cifar10, archive: Path) -> None:
    with Server(archive.read_bytes(), [Behavior(drop_after=1000), Behavior(status=500)]) as server:
        with pytest.raises(DataError, match="answered 500"):
            source.download(url=server.url)
        assert files_below(source.folder) == ["cifar-10-python.tar.gz.part"]
        assert not source.available()
        server.behaviors = [Behavior()]
        source.download(url=server.url)
        assert server.requested_ranges[-1] == "bytes=1000-"
    assert source.available()


def test_a_cancelled_download_can_be_resumed(source: Cifar10, server: Server) -> None:
    with pytest.raises(Cancelled):
        source.download(cancelled=lambda: True, url=server.url)
    assert not source.available()
    source.download(url=server.url)
    assert source.available()


def test_a_downloaded_archive_that_was_not_unpacked_is_not_downloaded_again(
    source: Cifar10, server: Server
) -> None:
    unpacking: list[Progress] = []

    def on_progress(report: Progress) -> None:
        if not report.text.startswith("Downloading"):
            unpacking.append(report)

    with pytest.raises(Cancelled):
        source.download(on_progress, lambda: bool(unpacking), url=server.url)
    assert files_below(source.folder) == ["cifar-10-python.tar.gz"]
    source.download(url=server.url)
    assert len(server.requested_ranges) == 1
    assert source.available()
    assert "cifar-10-python.tar.gz" not in files_below(source.folder)


def test_loading_before_the_download_says_how_to_get_it(source: Cifar10) -> None:
    with pytest.raises(
        DataError, match=r"is not on this computer yet: download it .* or import your own copy"
    ):
        source.load()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_archive_is_refused(source: Cifar10, archive: Path, share: float) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="is not the whole archive of CIFAR-10"):
        source.import_archive(archive)
    assert files_below(source.folder) == []


def test_an_archive_with_a_wrong_checksum_is_refused(source: Cifar10, archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[4] ^= 1  # the timestamp in the gzip header: every file in it is still right
    archive.write_bytes(data)
    with pytest.raises(DataError, match="wrong checksum"):
        source.import_archive(archive)
    assert files_below(source.folder) == []


def test_an_archive_with_outside_paths_is_refused_even_with_the_right_checksum(tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar.gz"
    source = Cifar10(small_cifar10(archive, {"../../evil": b"evil"}), FAST_RETRY)
    with pytest.raises(DataError, match="tries to write outside"):
        source.import_archive(archive)
    assert not list(tmp_path.rglob("evil"))
    assert not source.available()


@pytest.mark.parametrize("name", ["missing.tar.gz", "folder"])
def test_a_path_that_is_not_a_file_is_refused(source: Cifar10, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"Cannot read|does not have cifar-10-python"):
        source.import_archive(tmp_path / name)


def test_the_real_source_refuses_another_archive(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.tar.gz", {"cifar-10-batches-py/data_batch_1": b"evil pickle"})
    with pytest.raises(DataError, match=r"is not the whole archive of CIFAR-10 \(0\.0 of 170 MB\)"):
        find_source("cifar10").import_archive(path)


def test_a_damaged_file_is_never_unpickled(source: Cifar10, archive: Path) -> None:
    source.import_archive(archive)
    (source.folder / "small" / "data_batch_1").write_bytes(b"cos\nabort\n(tR.")
    with pytest.raises(DataError, match="are damaged: download it again"):
        source.load()


def test_loading_can_be_cancelled(source: Cifar10, archive: Path) -> None:
    source.import_archive(archive)
    with pytest.raises(Cancelled):
        source.load(cancelled=lambda: True)


def test_a_source_can_be_imported_by_its_full_name() -> None:
    import cnnstudio.data.sources.published.cifar10 as module

    assert module.Cifar10 is Cifar10


def test_the_official_release_is_the_published_one() -> None:
    (file,) = OFFICIAL.files
    assert (file.md5, file.size) == ("c58f30108f718f92721af3b95e74349a", 170_498_071)
    assert len(OFFICIAL.contents) == 7
    assert all(name.startswith("cifar-10-batches-py/") for name in OFFICIAL.contents)
