"""The process survives what PySide6 does on Python 3.11: references that it never counted."""

from __future__ import annotations

import subprocess
import sys

_MANY_CALLS = """
import cnnstudio.gui
from PySide6.QtCore import QObject, Signal

class Sender(QObject):
    sent = Signal(object)

sender = Sender()
sender.sent.connect(lambda value: None)
for number in range(60_000):
    sender.setObjectName("name")
    sender.sent.emit(number)
print("alive")
"""


def test_a_long_session_does_not_exhaust_the_reference_count_of_none() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", _MANY_CALLS], capture_output=True, text=True, timeout=240
    )

    assert finished.stdout == "alive\n", finished.stderr[-500:]
    assert finished.returncode == 0
