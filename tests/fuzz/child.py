"""The process in which a fuzzer's inputs are tried, one after the other.

    python -m tests.fuzz.child FOLDER CONNECTION MODULE:CLASS…

What no test can catch (a segmentation fault, an endless loop, all memory taken) ends this process and not
the test: limits of the system are set for each input.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from fnmatch import fnmatch
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fuzz.mutations import Content, Files, Special
from tests.fuzz.target import Attempts, Target

_SPARE_ADDRESS_SPACE = 400 * 2**20
"""Reserved and never used: stacks, and what allocators take in advance."""
_MAX_FILE_BYTES = 300 * 2**20
_PEAK = Path("/proc/self/clear_refs")


def main() -> None:
    folder, connection = Path(sys.argv[1]), Connection(int(sys.argv[2]))
    children = {}
    for name in sys.argv[3:]:
        module, _, kind = name.partition(":")
        children[kind] = Child(getattr(importlib.import_module(module), kind)(), folder / kind)
    gc.collect()
    limit(max(child.target.megabytes for child in children.values()))
    connection.send({name: child.originals() for name, child in children.items()})
    while True:
        try:
            name, files, is_repaired = connection.recv()
        except EOFError:
            return
        connection.send(children[name].attempt(files, is_repaired))


class Child:
    """The files of one target, and what happened with the last input."""

    current: Child | None = None

    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        self.base, self.work, self.temporary = folder / "base", folder / "work", folder / "tmp"
        self.attempts = Attempts()
        self._enter()
        self._prepare()
        target.enter(self.work)
        # Twice: the first time imports, the second shows what is needed each time.
        for _ in range(2):
            self.attempts = Attempts()
            target.run(self.work, self._fuzzed(), self.attempts)
            self._restore()
        assert not self.attempts.faults, self.attempts.faults
        assert not self.attempts.refused, f"undamaged files are refused: {self.attempts.refused}"

    def _enter(self) -> None:
        """Makes this target's folders those of the process."""
        if Child.current is not self:
            Child.current = self
            self.temporary.mkdir(parents=True, exist_ok=True)
            os.environ["CNNSTUDIO_HOME"] = str(self.work / "home")
            os.environ["HOME"] = str(self.work)
            tempfile.tempdir = os.environ["TMPDIR"] = str(self.temporary)

    def _prepare(self) -> None:
        """Files with the same contents and times as before, at the same place."""
        if not self.base.exists():
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir(parents=True)
            self.target.prepare(self.work)
            self.work.rename(self.base)
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.base, self.work, symlinks=True)
        self._known = _scan(self.work)

    def originals(self) -> dict[str, bytes]:
        return {name: (self.base / name).read_bytes() for name in self._fuzzed()}

    def attempt(self, files: Files, is_repaired: bool) -> tuple[int, dict[str, str], list[tuple[str, str]]]:
        """(number of accepted steps, refused steps, faults)"""
        self._enter()
        self._try(files, is_repaired)
        return len(self.attempts.accepted), self.attempts.refused, self.attempts.faults

    def _fuzzed(self) -> list[str]:
        names = {path.relative_to(self.base).as_posix() for path in self.base.rglob("*") if path.is_file()}
        return sorted(name for name in names if any(fnmatch(name, each) for each in self.target.fuzzed))

    def _try(self, files: Files, is_repaired: bool) -> None:
        self.attempts = Attempts(lambda: signal.setitimer(signal.ITIMER_PROF, self.target.cpu_seconds))
        for name, content in files.items():
            put(self.work / name, content)
        if is_repaired:
            self.target.repair(self.work, list(files))
        damaged = _scan(self.work)
        before = _resident()
        try:
            self.target.run(self.work, sorted(files), self.attempts)
        except BaseException as error:
            self.attempts.add_error("outside of all steps", error)
        signal.setitimer(signal.ITIMER_PROF, 0)
        used = (_peak() - before) / 2**20
        if used > self.target.megabytes:
            self.attempts.faults.append(("memory", f"{used:,.0f} MB"))
        self._judge_files(damaged)
        self._restore()

    def _judge_files(self, before: dict[str, Any]) -> None:
        after = _scan(self.work)
        changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
        left = [name for name in changed if not any(fnmatch(name, each) for each in self.target.may_leave)]
        left += [f"tmp/{path.name}" for path in self.temporary.iterdir()]
        if left:
            self.attempts.faults.append(("files", f"changed or left behind: {sorted(left)[:20]}"))

    def _restore(self) -> None:
        for path in self.temporary.iterdir():
            _remove(path)
        now = _scan(self.work)
        for name in sorted(name for name in now if now[name] != self._known.get(name)):
            _remove(self.work / name)
        for name in sorted(name for name in self._known if now.get(name) != self._known[name]):
            source, path = self.base / name, self.work / name
            if source.is_dir():
                path.mkdir(exist_ok=True)
            else:
                shutil.copy2(source, path)
        if now != self._known:
            self._known = _scan(self.work)


def watch() -> None:
    """What would only be printed counts as a fault too."""

    def add(kind: str, error: BaseException) -> None:
        if Child.current is not None:
            Child.current.attempts.add_error(kind, error)

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        add("uncaught", error.with_traceback(trace))
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook
    sys.unraisablehook = lambda found: add("ignored", found.exc_value or RuntimeError(found.err_msg))
    threading.excepthook = lambda found: add("in a thread", found.exc_value or RuntimeError())
    logging.getLogger().addHandler(_LogHandler(logging.ERROR))
    warnings.simplefilter("error", RuntimeWarning)


class _LogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if Child.current is None:
            return
        if error is not None:
            Child.current.attempts.add_error("logged", error)
        else:
            Child.current.attempts.faults.append((f"logged: {record.msg}", record.getMessage()))


def limit(megabytes: int) -> None:
    """Limits of the process, besides those that are measured for each input."""
    faulthandler.enable()
    # Prints where it stands, then ends the process, which is what the signal does without a handler.
    faulthandler.register(signal.SIGPROF, chain=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, resource.RLIM_INFINITY))
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = now + megabytes * 2**20 + _SPARE_ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def put(path: Path, content: Content) -> None:
    """Replaces the file."""
    _remove(path)
    if isinstance(content, bytes):
        path.write_bytes(content)
        return
    assert isinstance(content, Special)
    match content.kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "endless link":
            path.symlink_to(path.name)
        case "broken link":
            path.symlink_to("not there")
        case "device":
            path.symlink_to("/dev/zero")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _scan(folder: Path) -> dict[str, tuple[int, ...]]:
    """Path -> what tells whether it was changed."""
    found: dict[str, tuple[int, ...]] = {}
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                state = entry.stat(follow_symlinks=False)
                name = os.path.relpath(entry.path, folder)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                    found[name] = (state.st_mode,)
                else:
                    found[name] = (state.st_mode, state.st_size, state.st_mtime_ns, state.st_ino)
    return found


def _resident() -> int:
    """Memory in use now; from here on the peak is counted anew."""
    _PEAK.write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(key: str) -> int:
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(key))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    watch()
    main()
