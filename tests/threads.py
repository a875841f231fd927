"""Policies for the number of threads that do not depend on how busy the machine is."""

from __future__ import annotations

from collections.abc import Mapping


class KeepThreads:
    """Keeps the number of threads."""

    def __init__(self, usual: int, threads: int) -> None:
        self.usual = usual
        self.threads = threads
        self.is_trial = False

    def record(self, seconds: float, images: int) -> None:
        pass

    def start_over(self) -> None:
        pass


class ForcedThreads(KeepThreads):
    """Changes the number after so many steps of its own: step -> (threads, whether that is a trial)."""

    schedule: Mapping[int, tuple[int, bool]] = {}

    def __init__(self, usual: int, threads: int) -> None:
        super().__init__(usual, threads)
        self.steps = 0

    def record(self, seconds: float, images: int) -> None:
        self.steps += 1
        self.threads, self.is_trial = self.schedule.get(self.steps, (self.threads, self.is_trial))
