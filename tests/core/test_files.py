"""Writes are atomic, and errors are reported in one sentence."""

from __future__ import annotations

import os
import socket
import sys
import tracemalloc
from pathlib import Path

import pytest

from cnnstudio.core.files import (
    FileError,
    atomic_writer,
    exists,
    expand_home,
    is_folder,
    keep_json,
    read_json,
    read_regular,
    write_atomically,
    write_json,
)
from cnnstudio.core.paths import home


def test_written_bytes_replace_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.bin"
    write_atomically(path, b"long content")
    write_atomically(path, b"short")
    assert path.read_bytes() == b"short"


def test_a_path_that_the_system_rejects_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert [exists(tmp_path), exists(tmp_path / "file"), exists(tmp_path / "no")] == [True, True, False]
    assert [is_folder(tmp_path), is_folder(tmp_path / "file")] == [True, False]
    assert not exists(tmp_path / ("x" * 300))
    assert not is_folder(tmp_path / ("x" * 300))


def test_a_tilde_is_expanded_unless_the_user_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home("~/model") == tmp_path / "model"
    assert expand_home("~nobody-of-this-name/model") == Path("~nobody-of-this-name/model")


def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "design.json"
    write_atomically(path, b"old")

    def fail_halfway() -> None:
        with atomic_writer(path) as file:
            file.write(b"half of the new")
            raise RuntimeError("the program fails here")

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_content_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_writer(path) as file:
        file.write(b"something")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"something"


def test_writing_through_a_symbolic_link_keeps_the_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_an_unwritable_location_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match=r"^Cannot write .*file.inside: .*\. Choose a writable location\."):
        write_atomically(tmp_path / "file" / "inside", b"")
    with pytest.raises(FileError, match="Cannot write"):
        write_atomically(tmp_path, b"there is a folder of this name")


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match=r"file: No space left on device\. Free some space, or "):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_rename_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def refuse(source: object, target: object) -> None:
        raise PermissionError(13, "The file is in use")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(FileError, match="in use"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_survives_a_round_trip(tmp_path: Path) -> None:
    value = {"name": "Größe 3 × 3", "layers": [1, 2.5, None, True]}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value
    assert "Größe 3 × 3" in (tmp_path / "x.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n "b": ', "line 2, column 7"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "not UTF-8 text"),
        (b"", "line 1, column 1"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN"),
        (b"9" * 10_000, "cannot be read"),
    ],
)
def test_invalid_json_is_reported_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(FileError, match=message) as error:
        read_json(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(tmp_path / "x.json") == [1]


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"There is no file .*nowhere\.json"):
        read_json(tmp_path / "nowhere.json")
    with pytest.raises(FileError, match="Cannot read"):
        read_json(tmp_path)


def test_home_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "mine"))
    assert home() == tmp_path / "mine"
    monkeypatch.setenv("CNNSTUDIO_HOME", "~/mine")
    assert home() == Path.home() / "mine"
    monkeypatch.delenv("CNNSTUDIO_HOME")
    assert home().name == "cnnstudio"
    assert home().is_absolute()


needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")


def irregular(folder: Path) -> dict[str, Path]:
    """What a path may lead to instead of a file."""
    os.mkfifo(folder / "pipe")
    (folder / "link to pipe").symlink_to(folder / "pipe")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    return {path.name: path for path in folder.iterdir()}


@needs_pipes
def test_only_regular_files_are_read_and_nothing_blocks(tmp_path: Path) -> None:
    for name, path in irregular(tmp_path).items():
        with pytest.raises(OSError, match=r"it is a (folder|pipe or a device), not a"):
            read_regular(path, 1000)
        with pytest.raises(FileError, match=f"Cannot read .*{name}: it is a"):
            read_json(path)


@needs_pipes
def test_no_pipe_or_device_is_replaced_by_a_file(tmp_path: Path) -> None:
    for name, path in irregular(tmp_path).items():
        with pytest.raises(FileError, match=f"Cannot write .*{name}"):
            write_atomically(path, b"data")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("name", ["null\0character", "half\ud800character"])
def test_a_name_that_no_file_can_have_is_an_error_of_the_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="no file can have this name"):
        read_regular(tmp_path / name, 1000)
    with pytest.raises(FileError, match=r"Cannot read .*: no file can have this name"):
        read_json(tmp_path / name)
    with pytest.raises(FileError, match=r"Cannot write .*: no file can have this name"):
        write_atomically(tmp_path / name, b"data")
    assert not exists(tmp_path / name)
    assert not is_folder(tmp_path / name)


def test_a_file_may_have_the_stated_size_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(100))
    (tmp_path / "link").symlink_to(path)
    assert len(read_regular(tmp_path / "link", 100)) == 100
    with pytest.raises(OSError, match="larger than 99 bytes"):
        read_regular(path, 99)
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(FileError, match="larger than 8 MB"):
        read_json(path)


def test_reading_takes_the_memory_of_the_file_and_not_of_the_largest_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(100))
    tracemalloc.start()
    try:
        assert len(read_regular(path, 4 * 2**30)) == 100
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_that_grows_while_it_is_read_is_read_up_to_the_stated_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(100))
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        path.write_bytes(bytes(300))
        return found

    monkeypatch.setattr(os, "fstat", fstat)
    assert len(read_regular(path, 300)) == 300
    path.write_bytes(bytes(100))
    with pytest.raises(OSError, match="larger than 299 bytes"):
        read_regular(path, 299)


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
def test_names_that_are_not_unicode_survive_in_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    write_json(tmp_path / "a.json", {name: name})
    assert read_json(tmp_path / "a.json") == {name: name}


def test_of_kept_files_the_oldest_go_and_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    for number in range(3):
        keep_json(folder / f"{number}.json", number, 2)
        os.utime(folder / f"{number}.json", (number, number))
    assert sorted(path.name for path in folder.iterdir()) == ["1.json", "2.json"]
    assert read_json(folder / "2.json", 100) == 2
    (tmp_path / "file").touch()
    keep_json(tmp_path / "file" / "1.json", 1, 2)
    assert (tmp_path / "file").read_bytes() == b""
