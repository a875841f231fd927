"""The cache of decoded images: entries are used if they are intact, else created again."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError, Dataset, Split, channel_statistics
from cnnstudio.data.storage import background_sync, decoded_cache, writers
from cnnstudio.data.storage.decoded_cache import (
    clear_cache,
    decoded_folder,
    decoded_size,
    discard,
    get_or_create,
)
from cnnstudio.data.storage.writers import DatasetWriter

FILES = ("train.pixels", "train.labels", "test.pixels", "test.labels")


def small(seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)
    splits = [
        Split(random.integers(0, 256, (count, 3, 4, 5), dtype=np.uint8), np.arange(count, dtype=np.int64) % 2)
        for count in (6, 4)
    ]
    return Dataset("small", "Small “set”", ("cat", "Größe"), *splits, notes=("one note.",))


def create(writer: DatasetWriter) -> Dataset:
    return writer.write(small())


def unexpected_create(writer: DatasetWriter) -> Dataset:
    raise AssertionError("the entry should be cached")


def is_recreated() -> bool:
    """Whether `get_or_create` creates the entry again; checks that the result is right."""
    created = []

    def record(writer: DatasetWriter) -> Dataset:
        created.append(writer)
        return create(writer)

    assert get_or_create("here", "state", record).fingerprint == small().fingerprint
    return bool(created)


def entry() -> Path:
    (found,) = (path for path in (decoded_folder() / "here").iterdir() if path.is_dir())
    return found


def remaining_files() -> list[str]:
    return sorted(path.name for path in decoded_folder().rglob("*") if path.is_file())


def test_a_created_data_set_is_cached() -> None:
    first, again = get_or_create("here", "state", create), get_or_create("here", "state", unexpected_create)
    for found in (first, again):
        assert (found.name, found.title, found.classes, found.notes) == (
            "small",
            "Small “set”",
            ("cat", "Größe"),
            ("one note.",),
        )
        for split, expected in ((found.train, small().train), (found.test, small().test)):
            assert np.array_equal(split.images, expected.images)
            assert np.array_equal(split.labels, expected.labels)
            assert split.labels.dtype == np.int64


def test_fingerprint_and_statistics_are_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    get_or_create("here", "state", create)
    expected = small().fingerprint, channel_statistics(small().train)
    monkeypatch.setattr(Split, "chunks", None)
    again = get_or_create("here", "state", unexpected_create)
    assert again.fingerprint == expected[0]
    np.testing.assert_array_equal(channel_statistics(again.train), expected[1])


def test_the_fingerprint_takes_no_second_pass_over_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = small().fingerprint
    monkeypatch.setattr(Dataset, "compute_fingerprint", None)
    assert get_or_create("here", "state", create).fingerprint == expected


def test_a_part_may_be_empty() -> None:
    def half(writer: DatasetWriter) -> Dataset:
        whole, empty = small(), np.empty((0, 3, 4, 5), np.uint8)
        nothing = Split(empty, np.empty(0, np.int64))
        return writer.write(Dataset("half", "Half", whole.classes, whole.train, nothing))

    assert len(get_or_create("here", "state", half).test) == 0


def test_another_source_state_replaces_the_entry() -> None:
    get_or_create("here", "state", create)
    old = entry()
    other = get_or_create("here", "other state", lambda writer: writer.write(small(1)))
    assert other.fingerprint == small(1).fingerprint
    assert entry() != old
    assert is_recreated()


def test_an_open_data_set_outlives_its_files() -> None:
    used = get_or_create("here", "state", create)
    get_or_create("here", "other state", create)
    clear_cache()
    assert np.array_equal(used.train.images, small().train.images)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_invalidates_the_entry(name: str) -> None:
    get_or_create("here", "state", create)
    path = entry() / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    assert is_recreated()
    assert not is_recreated()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [0, 7, 10_000])
def test_a_file_of_another_size_invalidates_the_entry(name: str, size: int) -> None:
    get_or_create("here", "state", create)
    path = entry() / name
    times = path.stat()
    with path.open("r+b") as file:
        file.truncate(size)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert is_recreated()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_invalidates_the_entry(name: str) -> None:
    get_or_create("here", "state", create)
    (entry() / name).unlink()
    assert is_recreated()


@pytest.mark.parametrize("percent", range(0, 100, 4))
def test_damage_anywhere_in_the_metadata_invalidates_the_entry(percent: int) -> None:
    get_or_create("here", "state", create)
    path = entry() / "about.json"
    data = bytearray(path.read_bytes())
    data[len(data) * percent // 100] ^= 0x01
    path.write_bytes(data)
    get_or_create("here", "state", create)
    assert json.loads(path.read_bytes())["fingerprint"] == small().fingerprint


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"sha256": 1, "files": []}'])
def test_other_metadata_invalidates_the_entry(text: str) -> None:
    get_or_create("here", "state", create)
    (entry() / "about.json").write_text(text)
    assert is_recreated()


@pytest.mark.parametrize(
    ("name", "labels"),
    [("train.labels", [0, 1, 0, 1, 0, 2]), ("test.labels", [0, -1, 0, 1]), ("test.labels", [])],
)
def test_files_that_fit_their_metadata_and_not_the_data_set_invalidate_the_entry(
    name: str, labels: list[int]
) -> None:
    get_or_create("here", "state", create)
    (entry() / name).write_bytes(np.array(labels, "<i8").tobytes())
    if not labels:
        (entry() / "test.pixels").write_bytes(b"")
    path = entry() / "about.json"
    about = json.loads(path.read_bytes())
    about["files"] = {file: decoded_cache._file_state(entry() / file) for file in about["files"]}
    del about["sha256"]
    path.write_text(json.dumps({**about, "sha256": decoded_cache._digest(about)}))
    assert is_recreated()


def test_an_entry_under_another_name_is_not_used() -> None:
    get_or_create("here", "state", create)
    right = entry().name
    get_or_create("here", "other state", lambda writer: writer.write(small(1)))
    entry().rename(entry().with_name(right))
    assert is_recreated()


def test_an_entry_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(decoded_cache, "VERSION", 0)
        get_or_create("here", "state", create)
    get_or_create("here", "state", create)
    assert len(remaining_files()) == len((*FILES, "about.json", "lock"))


@pytest.mark.parametrize("error", [Cancelled(), DataError("no"), KeyboardInterrupt()])
def test_an_interrupted_creation_leaves_nothing(error: BaseException) -> None:
    def broken(writer: DatasetWriter) -> Dataset:
        create(writer)
        raise error

    with pytest.raises(type(error)):
        get_or_create("here", "state", broken)
    assert remaining_files() == ["lock"]
    assert is_recreated()


KILLED = """
import os, signal
from cnnstudio.data.storage import background_sync, decoded_cache, writers
from tests.data.storage.test_decoded_cache import create

def kill(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

{when} = kill
decoded_cache.get_or_create("here", "state", create)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize(
    "when",
    [
        "writers._DiskSplitWriter.finish",
        "decoded_cache._write_metadata",
        "decoded_cache.write_atomically",
        "decoded_cache.os.replace",
    ],
)
def test_a_killed_writer_leaves_no_partial_entry(when: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED.format(when=when)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert any(name in FILES for name in remaining_files())  # it was killed while writing
    assert is_recreated()
    assert remaining_files() == sorted((*FILES, "about.json", "lock"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_what_a_killed_writer_left_is_deleted_with_the_next_entry_of_any_key() -> None:
    subprocess.run([sys.executable, "-c", KILLED.format(when="decoded_cache.os.replace")], check=False)
    get_or_create("elsewhere", "state", create)
    assert remaining_files() == sorted((*FILES, "about.json", "lock", "lock"))


def test_an_entry_that_is_being_written_stays_when_another_is_created() -> None:
    written: list[Path] = []

    def create_another_meanwhile(writer: DatasetWriter) -> Dataset:
        dataset = create(writer)
        get_or_create("elsewhere", "state", create)
        assert writer.folder is not None
        written.extend(writer.folder.iterdir())
        return dataset

    get_or_create("here", "state", create_another_meanwhile)
    assert sorted(path.name for path in written) == sorted(FILES)


def test_of_two_requests_for_one_entry_one_creates_it_and_the_other_waits() -> None:
    created, reports, both = [], [], threading.Barrier(2)

    def slowly(writer: DatasetWriter) -> Dataset:
        created.append(writer)
        while not reports:
            time.sleep(0.01)
        return create(writer)

    def request() -> None:
        both.wait()
        found.append(get_or_create("here", "state", slowly, reports.append).fingerprint)

    found: list[str] = []
    threads = [threading.Thread(target=request) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(created) == 1
    assert found == [small().fingerprint] * 2
    assert reports[0] == Progress(0, None, "Waiting for another program that is reading the same images")


def test_waiting_can_be_cancelled() -> None:
    def meanwhile(writer: DatasetWriter) -> Dataset:
        with pytest.raises(Cancelled):
            get_or_create("here", "state", unexpected_create, cancelled=lambda: True)
        return create(writer)

    get_or_create("here", "state", meanwhile)


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers.shutil, "disk_usage", lambda folder: Usage(10**9, 9 * 10**8, 10**8))


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_reported_before_anything_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "_MAX_IN_MEMORY", 0)

    def large(writer: DatasetWriter) -> Dataset:
        writer.reserve("Pets", 3_000_000_000)
        raise AssertionError("there is no space")

    with pytest.raises(DataError, match=r"of Pets need 3\.0 GB on disk, but only 100 MB are free in ") as e:
        get_or_create("here", "state", large)
    assert str(e.value).endswith("free some space, or set CNNSTUDIO_HOME to a folder on a larger disk.")
    assert remaining_files() == ["lock"]


@pytest.mark.usefixtures("full_disk")
def test_a_small_data_set_is_kept_in_memory_if_the_disk_is_full() -> None:
    assert get_or_create("here", "state", create).fingerprint == small().fingerprint
    assert remaining_files() == ["lock"]


def test_an_unwritable_folder_is_not_an_error(home: Path) -> None:
    home.write_bytes(b"a file in place of the folder")
    assert get_or_create("here", "state", create).fingerprint == small().fingerprint


def test_a_disk_that_fills_up_while_writing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writers.os, "fsync", full)
    with pytest.raises(DataError, match=r"Cannot write decoded images to .*here: No space left on device\."):
        get_or_create("here", "state", create)
    assert remaining_files() == ["lock"]


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="only fsync here")
def test_what_cannot_be_synced_meanwhile_is_reported_although_it_is_reported_only_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(background_sync, "_SYNC_BYTES", 1)
    monkeypatch.setattr(background_sync.os, "fdatasync", fail)
    with pytest.raises(DataError, match=r"Cannot write decoded images to .*here: Input/output error\."):
        get_or_create("here", "state", create)
    assert remaining_files() == ["lock"]


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="only fsync here")
def test_a_large_split_is_synced_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    synced, fdatasync = list[int](), os.fdatasync

    def sync(descriptor: int) -> None:
        synced.append(descriptor)
        fdatasync(descriptor)

    monkeypatch.setattr(background_sync, "_SYNC_BYTES", 1)
    monkeypatch.setattr(background_sync.os, "fdatasync", sync)
    assert get_or_create("here", "state", create).fingerprint == small().fingerprint
    assert len(synced) == 2
    assert not is_recreated()


FULL = """
import resource
from cnnstudio.data.storage.decoded_cache import get_or_create
from cnnstudio.data.dataset import DataError
from tests.data.storage.test_decoded_cache import create

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    get_or_create("here", "state", create)
except DataError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit here")
def test_a_refused_write_is_reported() -> None:
    output = subprocess.run([sys.executable, "-c", FULL], check=True, capture_output=True, text=True).stdout
    assert "Cannot write decoded images to " in output
    assert "File too large. Free some space, or set CNNSTUDIO_HOME to another folder." in output
    assert remaining_files() == ["lock"]


def test_entries_unused_for_two_months_are_deleted_when_another_is_created() -> None:
    def age(key: str) -> None:
        (about,) = (decoded_folder() / key).glob("*/about.json")
        long_ago = time.time() - 61 * 24 * 3600
        os.utime(about, (long_ago, long_ago))

    for key in ("old", "used"):
        get_or_create(key, "state", create)
        age(key)
    get_or_create("used", "state", unexpected_create)
    get_or_create("new", "state", create)
    get_or_create("used", "state", unexpected_create)
    assert not list((decoded_folder() / "old").glob("*/*"))


@pytest.mark.parametrize("empty", [clear_cache, lambda: discard("here")])
def test_the_cache_can_be_cleared(empty: Callable[[], None]) -> None:
    empty()
    get_or_create("here", "state", create)
    assert decoded_size() > small().train.images.nbytes + small().test.images.nbytes
    empty()
    assert decoded_size() == 0
    assert is_recreated()


def test_an_entry_being_created_is_not_deleted() -> None:
    def meanwhile(writer: DatasetWriter) -> Dataset:
        clear_cache()
        return create(writer)

    assert get_or_create("here", "state", meanwhile).fingerprint == small().fingerprint
    get_or_create("here", "state", unexpected_create)
