"""Decoded images are taken from the disk as they were made, or made anew."""

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
from cnnstudio.data.dataset import DataError, Dataset, Split, statistics
from cnnstudio.data.storage import decoded_cache as cache
from cnnstudio.data.storage import writers as drafts
from cnnstudio.data.storage.decoded_cache import clear, decoded_folder, decoded_size, forget, kept_or_made
from cnnstudio.data.storage.writers import Drafts

FILES = ("train.pixels", "train.labels", "test.pixels", "test.labels")


def small(seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)
    splits = [
        Split(random.integers(0, 256, (count, 3, 4, 5), dtype=np.uint8), np.arange(count, dtype=np.int64) % 2)
        for count in (6, 4)
    ]
    return Dataset("small", "Small “set”", ("cat", "Größe"), *splits, notes=("one note.",))


def make(drafts: Drafts) -> Dataset:
    return drafts.take(small())


def never_made(drafts: Drafts) -> Dataset:
    raise AssertionError("it is kept")


def remade() -> bool:
    """Whether the set of that place and key is made anew, rightly, when it is wanted."""
    asked = []

    def notice(drafts: Drafts) -> Dataset:
        asked.append(drafts)
        return make(drafts)

    assert kept_or_made("here", "key", notice).fingerprint == small().fingerprint
    return bool(asked)


def entry() -> Path:
    (found,) = (path for path in (decoded_folder() / "here").iterdir() if path.is_dir())
    return found


def left_behind() -> list[str]:
    return sorted(path.name for path in decoded_folder().rglob("*") if path.is_file())


def test_what_was_made_comes_back() -> None:
    first, again = kept_or_made("here", "key", make), kept_or_made("here", "key", never_made)
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


def test_what_takes_a_look_at_every_image_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_or_made("here", "key", make)
    expected = small().fingerprint, statistics(small().train)
    monkeypatch.setattr(Split, "chunks", None)
    again = kept_or_made("here", "key", never_made)
    assert again.fingerprint == expected[0]
    np.testing.assert_array_equal(statistics(again.train), expected[1])


def test_a_part_without_images_is_one_too() -> None:
    def half(drafts: Drafts) -> Dataset:
        whole, empty = small(), np.empty((0, 3, 4, 5), np.uint8)
        nothing = Split(empty, np.empty(0, np.int64))
        return drafts.take(Dataset("half", "Half", whole.classes, whole.train, nothing))

    assert len(kept_or_made("here", "key", half).test) == 0


def test_another_key_is_another_set_and_takes_the_place() -> None:
    kept_or_made("here", "key", make)
    old = entry()
    other = kept_or_made("here", "other", lambda drafts: drafts.take(small(1)))
    assert other.fingerprint == small(1).fingerprint
    assert entry() != old
    assert remade()


def test_a_set_in_use_outlives_its_files() -> None:
    used = kept_or_made("here", "key", make)
    kept_or_made("here", "other", make)
    clear()
    assert np.array_equal(used.train.images, small().train.images)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_noticed(name: str) -> None:
    kept_or_made("here", "key", make)
    path = entry() / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    assert remade()
    assert not remade()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [0, 7, 10_000])
def test_a_file_of_another_size_is_noticed(name: str, size: int) -> None:
    kept_or_made("here", "key", make)
    path = entry() / name
    times = path.stat()
    with path.open("r+b") as file:
        file.truncate(size)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert remade()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(name: str) -> None:
    kept_or_made("here", "key", make)
    (entry() / name).unlink()
    assert remade()


@pytest.mark.parametrize("place", range(0, 100, 4))
def test_damage_anywhere_in_the_description_is_noticed(place: int) -> None:
    kept_or_made("here", "key", make)
    path = entry() / "about.json"
    data = bytearray(path.read_bytes())
    data[len(data) * place // 100] ^= 0x01
    path.write_bytes(data)
    kept_or_made("here", "key", make)
    assert json.loads(path.read_bytes())["fingerprint"] == small().fingerprint


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"sha256": 1, "files": []}'])
def test_a_stranger_s_description_is_no_description(text: str) -> None:
    kept_or_made("here", "key", make)
    (entry() / "about.json").write_text(text)
    assert remade()


def test_a_set_under_another_set_s_name_is_noticed() -> None:
    kept_or_made("here", "key", make)
    right = entry().name
    kept_or_made("here", "other", lambda drafts: drafts.take(small(1)))
    entry().rename(entry().with_name(right))
    assert remade()


def test_a_copy_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cache, "VERSION", 0)
        kept_or_made("here", "key", make)
    kept_or_made("here", "key", make)
    assert len(left_behind()) == len((*FILES, "about.json", "lock"))


@pytest.mark.parametrize("error", [Cancelled(), DataError("no"), KeyboardInterrupt()])
def test_what_is_broken_off_leaves_nothing(error: BaseException) -> None:
    def broken(drafts: Drafts) -> Dataset:
        make(drafts)
        raise error

    with pytest.raises(type(error)):
        kept_or_made("here", "key", broken)
    assert left_behind() == ["lock"]
    assert remade()


KILLED = """
import os, signal
from cnnstudio.data.storage import builders as drafts, decoded_cache as cache
from tests.data.storage.test_decoded_cache import make

def kill(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

{when} = kill
cache.kept_or_made("here", "key", make)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize(
    "when", ["drafts._DraftOnDisk.finished", "cache._describe", "cache.write_atomically", "cache.os.replace"]
)
def test_a_killed_writer_leaves_no_half_set(when: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED.format(when=when)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert any(name in FILES for name in left_behind())  # it was at work
    assert remade()
    assert left_behind() == sorted((*FILES, "about.json", "lock"))


def test_of_two_who_want_the_same_one_makes_it_and_one_waits() -> None:
    made, heard, both = [], [], threading.Barrier(2)

    def slowly(drafts: Drafts) -> Dataset:
        made.append(drafts)
        while not heard:
            time.sleep(0.01)
        return make(drafts)

    def want() -> None:
        both.wait()
        found.append(kept_or_made("here", "key", slowly, heard.append).fingerprint)

    found: list[str] = []
    threads = [threading.Thread(target=want) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert found == [small().fingerprint] * 2
    assert heard[0] == Progress(0, None, "Waiting for another program that reads the same images")


def test_waiting_can_be_called_off() -> None:
    def meanwhile(drafts: Drafts) -> Dataset:
        with pytest.raises(Cancelled):
            kept_or_made("here", "key", never_made, cancelled=lambda: True)
        return make(drafts)

    kept_or_made("here", "key", meanwhile)


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts.shutil, "disk_usage", lambda folder: Usage(10**9, 9 * 10**8, 10**8))


@pytest.mark.usefixtures("full_disk")
def test_a_disk_without_room_is_told_before_anything_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "_MOST_IN_MEMORY", 0)

    def large(drafts: Drafts) -> Dataset:
        drafts.make_room("Pets", 3_000_000_000)
        raise AssertionError("there is no room")

    with pytest.raises(
        DataError, match=r"of Pets take 3\.0 GB on the disk, but only 100 MB are free in "
    ) as e:
        kept_or_made("here", "key", large)
    assert str(e.value).endswith("make room, or set CNNSTUDIO_HOME to a folder on a larger disk.")
    assert left_behind() == ["lock"]


@pytest.mark.usefixtures("full_disk")
def test_a_small_set_is_held_in_memory_where_the_disk_has_no_room() -> None:
    assert kept_or_made("here", "key", make).fingerprint == small().fingerprint
    assert left_behind() == ["lock"]


def test_a_place_that_cannot_be_written_is_no_error(home: Path) -> None:
    home.write_bytes(b"a file stands where the folder should be")
    assert kept_or_made("here", "key", make).fingerprint == small().fingerprint


def test_a_disk_that_fills_up_meanwhile_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(drafts.os, "fsync", full)
    with pytest.raises(DataError, match=r"Cannot write decoded images to .*here: No space left on device\."):
        kept_or_made("here", "key", make)
    assert left_behind() == ["lock"]


FULL = """
import resource
from cnnstudio.data.storage.decoded_cache import kept_or_made
from cnnstudio.data.dataset import DataError
from tests.data.storage.test_decoded_cache import make

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    kept_or_made("here", "key", make)
except DataError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit here")
def test_a_write_that_the_system_refuses_is_one_sentence() -> None:
    told = subprocess.run([sys.executable, "-c", FULL], check=True, capture_output=True, text=True).stdout
    assert "Cannot write decoded images to " in told
    assert "File too large. Make room, or set CNNSTUDIO_HOME to another folder." in told
    assert left_behind() == ["lock"]


def test_what_nobody_opens_for_two_months_goes_when_another_set_is_made() -> None:
    def age(place: str) -> None:
        (about,) = (decoded_folder() / place).glob("*/about.json")
        long_ago = time.time() - 61 * 24 * 3600
        os.utime(about, (long_ago, long_ago))

    for place in ("old", "used"):
        kept_or_made(place, "key", make)
        age(place)
    kept_or_made("used", "key", never_made)
    kept_or_made("new", "key", make)
    kept_or_made("used", "key", never_made)
    assert not list((decoded_folder() / "old").glob("*/*"))


@pytest.mark.parametrize("empty", [clear, lambda: forget("here")])
def test_it_can_be_emptied(empty: Callable[[], None]) -> None:
    empty()
    kept_or_made("here", "key", make)
    assert decoded_size() > small().train.images.nbytes + small().test.images.nbytes
    empty()
    assert decoded_size() == 0
    assert remade()


def test_what_is_being_made_is_not_emptied() -> None:
    def meanwhile(drafts: Drafts) -> Dataset:
        clear()
        return make(drafts)

    assert kept_or_made("here", "key", meanwhile).fingerprint == small().fingerprint
    kept_or_made("here", "key", never_made)
