"""Downloads resume, can be cancelled, and say in one sentence what a server did wrong."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError
from cnnstudio.data.transfer.download import Expected, Patience, download
from tests.data.server import Manner, Server

DATA = bytes(range(256)) * 2_000
EXPECTED = Expected("the archive", hashlib.md5(DATA).hexdigest(), len(DATA))
HASTY = Patience(stall=0.5, attempts=2, pause=0.01)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "archive.tar.gz"


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def leave_part(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part_of(target).write_bytes(data)


def test_a_whole_download_arrives_and_tells_how_far_it_is(target: Path) -> None:
    heard: list[Progress] = []
    with Server(DATA) as server:
        download(server.url, target, EXPECTED, heard.append)
    assert target.read_bytes() == DATA
    assert not part_of(target).exists()
    assert (heard[-1].done, heard[-1].total) == (len(DATA), len(DATA))
    assert heard[-1].text == "Downloading the archive: 0.5 of 0.5 MB"


def test_a_part_is_continued_where_it_ends(target: Path) -> None:
    leave_part(target, DATA[:100_000])
    with Server(DATA) as server:
        download(server.url, target, EXPECTED)
        assert server.asked_ranges == ["bytes=100000-"]
    assert target.read_bytes() == DATA


def test_a_server_that_ignores_the_range_sends_it_all_again(target: Path) -> None:
    leave_part(target, DATA[:100_000])
    with Server(DATA, [Manner(ranges=False)]) as server:
        download(server.url, target, EXPECTED)
        assert len(server.asked_ranges) == 1
    assert target.read_bytes() == DATA


def test_a_range_that_starts_elsewhere_is_not_trusted(target: Path) -> None:
    leave_part(target, DATA[:100_000])
    with Server(DATA, [Manner(range_start=5), Manner()]) as server:
        download(server.url, target, EXPECTED, patience=HASTY)
        assert server.asked_ranges == ["bytes=100000-", None]
    assert target.read_bytes() == DATA


def test_a_part_of_another_file_is_replaced(target: Path) -> None:
    leave_part(target, b"x" * 100_000)
    with Server(DATA) as server:
        download(server.url, target, EXPECTED)
        assert server.asked_ranges == ["bytes=100000-", None]
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("size", [len(DATA), None])
def test_a_part_that_is_too_long_is_replaced(target: Path, size: int | None) -> None:
    leave_part(target, DATA + b"more")
    with Server(DATA) as server:
        download(server.url, target, Expected("the archive", EXPECTED.md5, size), patience=HASTY)
    assert target.read_bytes() == DATA


def test_a_whole_part_needs_no_server(target: Path) -> None:
    leave_part(target, DATA)
    download("http://127.0.0.1:9/nothing-listens-here", target, EXPECTED)
    assert target.read_bytes() == DATA


def test_a_dropped_connection_is_taken_up_again(target: Path) -> None:
    with Server(DATA, [Manner(drop_after=200_000), Manner()]) as server:
        download(server.url, target, EXPECTED, patience=HASTY)
        assert server.asked_ranges == [None, "bytes=200000-"]
    assert target.read_bytes() == DATA


def test_a_connection_that_keeps_dropping_is_one_sentence_and_keeps_the_part(target: Path) -> None:
    with (
        Server(DATA, [Manner(drop_after=200_000), Manner(drop_after=0)]) as server,
        pytest.raises(DataError, match=r"broke off after 0\.2 of 0\.5 MB\. What has arrived is kept"),
    ):
        download(server.url, target, EXPECTED, patience=HASTY)
    assert part_of(target).read_bytes() == DATA[:200_000]
    assert not target.exists()


def test_a_stalled_server_is_given_up_and_the_part_kept(target: Path) -> None:
    with (
        Server(DATA, [Manner(stall_after=65_536)]) as server,
        pytest.raises(
            DataError, match=r"127\.0\.0\.1 sent nothing for 0\.5 seconds\. What has arrived is kept"
        ),
    ):
        download(server.url, target, EXPECTED, patience=HASTY)
    assert part_of(target).read_bytes() == DATA[:65_536]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_one_sentence_at_once(target: Path, status: int) -> None:
    with (
        Server(DATA, [Manner(status=status)]) as server,
        pytest.raises(DataError, match=rf"127\.0\.0\.1 answers {status} \(.+\) for http://127\.0\.0\.1"),
    ):
        download(server.url, target, EXPECTED, patience=HASTY)
    assert len(server.asked_ranges) == 1
    assert not target.exists()


def test_a_server_error_is_tried_again(target: Path) -> None:
    with Server(DATA, [Manner(status=500), Manner()]) as server:
        download(server.url, target, EXPECTED, patience=HASTY)
    assert target.read_bytes() == DATA


def test_a_server_error_that_stays_is_one_sentence(target: Path) -> None:
    with (
        Server(DATA, [Manner(status=500)]) as server,
        pytest.raises(DataError, match=r"answers 500 \(Internal Server Error\).*Try again later\.$"),
    ):
        download(server.url, target, EXPECTED, patience=HASTY)
    assert len(server.asked_ranges) == HASTY.attempts


def test_a_server_that_is_not_there_is_one_sentence_at_once(target: Path) -> None:
    with pytest.raises(DataError, match=r"^Cannot reach 127\.0\.0\.1 \(.+\): check the network connection"):
        download("http://127.0.0.1:9/x", target, EXPECTED, patience=Patience(pause=60))


def test_wrong_content_is_thrown_away(target: Path) -> None:
    with (
        Server(DATA[:-1] + b"?") as server,
        pytest.raises(DataError, match=r"sent is not the archive, .*checksum is wrong"),
    ):
        download(server.url, target, EXPECTED)
    assert list(target.parent.iterdir()) == []


def test_a_page_in_the_place_of_the_file_is_refused_before_it_is_kept(target: Path) -> None:
    with (
        Server(b"<html>Please log in</html>") as server,
        pytest.raises(DataError, match=r"offers 0\.0 MB, but the archive has 0\.5 MB"),
    ):
        download(server.url, target, EXPECTED)
    assert not target.exists()


def test_a_server_that_never_ends_is_cut_off(target: Path) -> None:
    with (
        Server(DATA + DATA, [Manner(length=False)]) as server,
        pytest.raises(DataError, match=r"sends more than the 0\.5 MB"),
    ):
        download(server.url, target, EXPECTED)


@pytest.mark.parametrize("address", ["file:///etc/hostname", "http://[::1", "http://", "cifar.tar.gz"])
def test_an_address_of_another_kind_is_refused(address: str, target: Path) -> None:
    with pytest.raises(DataError, match="has to begin with https://"):
        download(address, target, EXPECTED)


@pytest.mark.parametrize("sent", [0, 65_536])
def test_cancel_does_not_wait_for_a_silent_server(target: Path, sent: int) -> None:
    cancel = threading.Event()
    timer = threading.Timer(0.2, cancel.set)
    with Server(DATA, [Manner(stall_after=sent)]) as server:
        timer.start()
        with pytest.raises(Cancelled):
            download(server.url, target, EXPECTED, cancelled=cancel.is_set, patience=Patience(stall=60))
    timer.join()
    assert not target.exists()
    assert part_of(target).read_bytes() == DATA[:sent]


def test_an_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"^Cannot write "):
        download("http://127.0.0.1:9/x", tmp_path / "file" / "archive", EXPECTED)
