"""Only the expected members are extracted, and nothing is written outside the folder."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError
from cnnstudio.data.transfer.archive import extract_members
from tests.data.archives import md5, write_archive

ONE, TWO = b"first" * 1000, b"second" * 1000
MEMBERS = {"set/one": md5(ONE), "set/two": md5(TWO)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_the_expected_members_are_written(tmp_path: Path) -> None:
    archive = write_archive(
        tmp_path / "a.tar.gz", {"set/readme": b"x", "set/one": ONE, "set/two": TWO, "other": b"x"}
    )
    reports: list[Progress] = []
    extract_members(archive, MEMBERS, tmp_path / "out" / "set", reports.append)
    assert contents(tmp_path / "out" / "set") == {"one": ONE, "two": TWO}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["set"]
    assert reports[0].text == "Unpacking a.tar.gz"


def test_an_existing_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "stale").write_bytes(b"x")
    extract_members(
        write_archive(tmp_path / "a.tar.gz", {"set/one": ONE, "set/two": TWO}), MEMBERS, tmp_path / "set"
    )
    assert contents(tmp_path / "set") == {"one": ONE, "two": TWO}


@pytest.mark.parametrize(
    "name", ["../evil", "set/../../evil", "/evil", "C:/evil", "..\\evil", "C:\\evil", "\\\\host\\share\\evil"]
)
def test_an_archive_with_outside_paths_is_refused_entirely(tmp_path: Path, name: str) -> None:
    place = tmp_path / "deep" / "out"
    archive = write_archive(tmp_path / "a.tar.gz", {"set/one": ONE, "set/two": TWO, name: b"evil"})
    before = set(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="tries to write outside its folder"):
        extract_members(archive, MEMBERS, place / "set")
    assert {path for path in tmp_path.rglob("*") if path.is_file()} <= before
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_not_a_regular_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "secret").write_bytes(ONE)
    entry = tarfile.TarInfo("set/one")
    entry.type, entry.linkname = kind, str(tmp_path / "secret")
    archive = write_archive(tmp_path / "a.tar.gz", {"set/one": entry, "set/two": TWO})
    with pytest.raises(DataError, match="contains set/one as a link"):
        extract_members(archive, MEMBERS, tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive_is_an_error_and_leaves_nothing(tmp_path: Path, share: float) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", {"set/one": ONE, "set/two": bytes(range(256)) * 400})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="damaged or incomplete"):
        extract_members(archive, MEMBERS, tmp_path / "set")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"\x89PNG" * 1000)
    with pytest.raises(DataError, match="damaged or incomplete"):
        extract_members(tmp_path / "a.tar.gz", MEMBERS, tmp_path / "set")


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", {"set/one": ONE})
    with pytest.raises(DataError, match=r"does not contain set/two"):
        extract_members(archive, MEMBERS, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_changed_member_is_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", {"set/one": ONE, "set/two": b"other"})
    with pytest.raises(DataError, match=r"set/two in .* is damaged"):
        extract_members(archive, MEMBERS, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_missing_archive_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        extract_members(tmp_path / "a.tar.gz", MEMBERS, tmp_path / "set")


def test_cancel_leaves_nothing(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", {"set/one": ONE, "set/two": TWO})
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        extract_members(archive, MEMBERS, tmp_path / "set", cancelled=lambda: next(answers))
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("name", ["set/one", "set/other"])
def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_written(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnstudio.data.transfer.archive._copy", None)
    entry = tarfile.TarInfo(name)
    entry.size = 600_000_000
    with pytest.raises(DataError, match="unpacks to more than 400 MB"):
        extract_members(write_archive(tmp_path / "a.tar.gz", {name: entry}), MEMBERS, tmp_path / "set")
    assert not (tmp_path / "set").exists()
