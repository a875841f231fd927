"""Downloads resume, can be cancelled, and report in one sentence what went wrong."""

from __future__ import annotations

import hashlib
import re
import urllib.request  # noqa: F401  # its slow import would count as waiting for the server
from itertools import count
from pathlib import Path

import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError
from cnnstudio.data.transfer import download as download_module
from cnnstudio.data.transfer.download import ExpectedFile, download
from cnnstudio.data.transfer.response import RetryPolicy
from tests.data.server import Behavior, Server

DATA = bytes(range(256)) * 2_000
EXPECTED = ExpectedFile("the archive", hashlib.md5(DATA).hexdigest(), len(DATA))
RETRY = RetryPolicy(stall_timeout=60, max_attempts=2, delay=0.01)
SOON_STALLED = RetryPolicy(stall_timeout=1, max_attempts=2, delay=0.01)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "archive.tar.gz"


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def leave_part(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part_of(target).write_bytes(data)


def test_a_download_completes_and_reports_its_progress(target: Path) -> None:
    reports: list[Progress] = []
    with Server(DATA) as server:
        download(server.url, target, EXPECTED, reports.append)
    assert target.read_bytes() == DATA
    assert not part_of(target).exists()
    assert (reports[-1].done, reports[-1].total) == (len(DATA), len(DATA))
    assert reports[-1].text == "Downloading the archive: 0.5 of 0.5 MB"


def test_a_part_file_is_resumed(target: Path) -> None:
    leave_part(target, DATA[:100_000])
    with Server(DATA) as server:
        download(server.url, target, EXPECTED)
        assert server.requested_ranges == ["bytes=100000-"]
    assert target.read_bytes() == DATA


def test_a_server_that_ignores_the_range_sends_everything_again(target: Path) -> None:
    leave_part(target, DATA[:100_000])
    with Server(DATA, [Behavior(ranges=False)]) as server:
        download(server.url, target, EXPECTED)
        assert len(server.requested_ranges) == 1
    assert target.read_bytes() == DATA


def test_a_range_with_another_start_is_not_trusted(target: Path) -> None:
    leave_part(target, DATA[:100_000])
    with Server(DATA, [Behavior(range_start=5), Behavior()]) as server:
        download(server.url, target, EXPECTED, retry=RETRY)
        assert server.requested_ranges == ["bytes=100000-", None]
    assert target.read_bytes() == DATA


def test_a_part_file_of_another_file_is_replaced(target: Path) -> None:
    leave_part(target, b"x" * 100_000)
    with Server(DATA) as server:
        download(server.url, target, EXPECTED)
        assert server.requested_ranges == ["bytes=100000-", None]
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("size", [len(DATA), None])
def test_a_part_file_that_is_too_long_is_replaced(target: Path, size: int | None) -> None:
    leave_part(target, DATA + b"more")
    with Server(DATA) as server:
        download(server.url, target, ExpectedFile("the archive", EXPECTED.md5, size), retry=RETRY)
    assert target.read_bytes() == DATA


def test_a_complete_part_file_needs_no_server(target: Path) -> None:
    leave_part(target, DATA)
    download("http://127.0.0.1:9/nothing-listens-here", target, EXPECTED)
    assert target.read_bytes() == DATA


def test_a_dropped_connection_is_resumed(target: Path) -> None:
    with Server(DATA, [Behavior(drop_after=200_000), Behavior()]) as server:
        download(server.url, target, EXPECTED, retry=RETRY)
        assert server.requested_ranges == [None, "bytes=200000-"]
    assert target.read_bytes() == DATA


def test_a_connection_that_keeps_dropping_is_an_error_and_keeps_the_part_file(target: Path) -> None:
    with (
        Server(DATA, [Behavior(drop_after=200_000), Behavior(drop_after=0)]) as server,
        pytest.raises(DataError, match=r"was lost after 0\.2 of 0\.5 MB\. Download again to resume"),
    ):
        download(server.url, target, EXPECTED, retry=RETRY)
    assert part_of(target).read_bytes() == DATA[:200_000]
    assert not target.exists()


def test_a_stalled_server_is_an_error_and_keeps_the_part_file(target: Path) -> None:
    with (
        Server(DATA, [Behavior(stall_after=65_536)]) as server,
        pytest.raises(DataError, match=r"127\.0\.0\.1 sent nothing for 1 seconds\. Download again to resume"),
    ):
        download(server.url, target, EXPECTED, retry=SOON_STALLED)
    assert part_of(target).read_bytes() == DATA[:65_536]


def test_what_has_arrived_is_said_while_nothing_more_comes(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "_SILENT_SECONDS", 1)
    reports: list[Progress] = []
    with Server(DATA, [Behavior(stall_after=65_536)]) as server, pytest.raises(DataError):
        download(server.url, target, EXPECTED, reports.append, retry=RetryPolicy(2, max_attempts=1))
    # Also if it came too soon after the first report to be shown.
    assert reports[-1].done == 65_536
    assert re.search(r" MB, nothing received for [12] s$", reports[-1].text)


def test_a_server_that_sends_a_byte_now_and_then_has_stalled(target: Path) -> None:
    with (
        Server(DATA, [Behavior(stall_after=65_536, trickle=0.05)]) as server,
        pytest.raises(
            DataError, match=r"127\.0\.0\.1 sent almost nothing for 1 seconds\. Download again to resume"
        ),
    ):
        download(server.url, target, EXPECTED, retry=SOON_STALLED)
    assert len(DATA) > part_of(target).stat().st_size > 65_536


def test_a_slow_server_may_take_longer_than_the_stall_timeout(target: Path) -> None:
    slow = RetryPolicy(stall_timeout=1, min_bytes=5, max_attempts=1)
    with Server(DATA, [Behavior(stall_after=len(DATA) - 100, trickle=0.02)]) as server:
        download(server.url, target, EXPECTED, retry=slow)
        assert server.requested_ranges == [None]
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_an_error_at_once(target: Path, status: int) -> None:
    with (
        Server(DATA, [Behavior(status=status)]) as server,
        pytest.raises(DataError, match=rf"127\.0\.0\.1 answered {status} \(.+\) for http://127\.0\.0\.1"),
    ):
        download(server.url, target, EXPECTED, retry=RETRY)
    assert len(server.requested_ranges) == 1
    assert not target.exists()


def test_a_server_error_is_retried(target: Path) -> None:
    with Server(DATA, [Behavior(status=500), Behavior()]) as server:
        download(server.url, target, EXPECTED, retry=RETRY)
    assert target.read_bytes() == DATA


def test_a_persistent_server_error_is_reported(target: Path) -> None:
    with (
        Server(DATA, [Behavior(status=500)]) as server,
        pytest.raises(DataError, match=r"answered 500 \(Internal Server Error\).*Try again later\.$"),
    ):
        download(server.url, target, EXPECTED, retry=RETRY)
    assert len(server.requested_ranges) == RETRY.max_attempts


ONE_PART = Behavior(drop_after=1_200_000)


@pytest.mark.parametrize(
    "then", [Behavior(range_start=7), Behavior(status=416), Behavior(ranges=False, drop_after=1_200_000)]
)
def test_a_part_that_is_thrown_away_each_time_is_no_progress(target: Path, then: Behavior) -> None:
    data = bytes(3_000_000)
    expected = ExpectedFile("the archive", hashlib.md5(data).hexdigest(), len(data))
    with (
        Server(data, [ONE_PART, then] * 20) as server,
        pytest.raises(DataError, match=r"could not resume the download|connection was lost"),
    ):
        download(server.url, target, expected, retry=RetryPolicy(60, 3, 0.01))
    assert len(server.requested_ranges) <= 6


def test_redirects_without_end_are_an_error(target: Path) -> None:
    with (
        Server(DATA, [Behavior(status=302)]) as server,
        pytest.raises(DataError, match=r"redirects .* without end"),
    ):
        download(server.url, target, EXPECTED, retry=RETRY)


def test_a_stream_of_unknown_size_ends_at_a_limit(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnstudio.data.transfer.download._MAX_UNKNOWN_SIZE", len(DATA) // 2)
    with Server(DATA, [Behavior(length=False)]) as server, pytest.raises(DataError, match=r"sent more than"):
        download(server.url, target, ExpectedFile("the archive", EXPECTED.md5), retry=RETRY)


CERTIFICATE = Path(__file__).with_name("localhost.pem")


def test_an_untrusted_certificate_is_explained(target: Path) -> None:
    with (
        Server(DATA, certificate=CERTIFICATE) as server,
        pytest.raises(DataError, match=r"certificate of 127.0.0.1 is not trusted .* SSL_CERT_FILE"),
    ):
        download(server.url, target, EXPECTED, retry=RETRY)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_of_the_environment_are_trusted(
    target: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(CERTIFICATE))
    with Server(DATA, certificate=CERTIFICATE) as server:
        download(server.url, target, EXPECTED, retry=RETRY)
    assert target.read_bytes() == DATA


def test_certificates_that_cannot_be_read_are_reported(
    target: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(DataError, match=r"REQUESTS_CA_BUNDLE is .*missing.pem, which cannot be read"):
        download("https://127.0.0.1:9/x", target, EXPECTED, retry=RETRY)


def test_an_unreachable_server_is_an_error_at_once(target: Path) -> None:
    with pytest.raises(DataError, match=r"^Cannot reach 127\.0\.0\.1 \(.+\): check the network connection"):
        download("http://127.0.0.1:9/x", target, EXPECTED, retry=RetryPolicy(delay=60))


def test_wrong_content_is_deleted(target: Path) -> None:
    with (
        Server(DATA[:-1] + b"?") as server,
        pytest.raises(DataError, match=r"is not the archive, .*wrong checksum"),
    ):
        download(server.url, target, EXPECTED)
    assert list(target.parent.iterdir()) == []


def test_a_login_page_instead_of_the_file_is_refused_by_its_size(target: Path) -> None:
    with (
        Server(b"<html>Please log in</html>") as server,
        pytest.raises(DataError, match=r"offers 0\.0 MB, but the archive has 0\.5 MB"),
    ):
        download(server.url, target, EXPECTED)
    assert not target.exists()


def test_a_server_that_sends_too_much_is_cut_off(target: Path) -> None:
    with (
        Server(DATA + DATA, [Behavior(length=False)]) as server,
        pytest.raises(DataError, match=r"sent more than 0\.5 MB"),
    ):
        download(server.url, target, EXPECTED)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "http://[::1", "http://", "cifar.tar.gz"])
def test_other_urls_are_refused(url: str, target: Path) -> None:
    with pytest.raises(DataError, match="must start with https://"):
        download(url, target, EXPECTED)


@pytest.mark.parametrize("sent", [0, 65_536])
def test_cancel_does_not_wait_for_a_silent_server(
    target: Path, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each report comes through, so that it is known what has arrived.
    monkeypatch.setattr("cnnstudio.data.transfer.download.throttled", lambda report: report)
    reports: list[Progress] = []
    questions = count()

    def cancelled() -> bool:
        """From the third question on after all that the server sends has come: then it has been silent."""
        return bool(reports) and reports[-1].done == sent and next(questions) >= 2

    with Server(DATA, [Behavior(stall_after=sent)]) as server, pytest.raises(Cancelled):
        download(server.url, target, EXPECTED, reports.append, cancelled, RETRY)
    assert not target.exists()
    assert part_of(target).read_bytes() == DATA[:sent]


def test_an_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"^Cannot write "):
        download("http://127.0.0.1:9/x", tmp_path / "file" / "archive", EXPECTED)
