"""The time until the window is on the screen, compared with `python -c "import torch"`.

They alternate and are compared by their medians, so that a busy machine slows down both. Each is a fresh
process.

    python benchmarks/startup.py [--rounds 7] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Ends when the window has been exposed and painted: this is when it is there for a user.
_WINDOW = """
import os
from cnnstudio.gui.shell.app import application, create_window
app = application()
window = create_window()
window.show()
while not window.windowHandle().isExposed():
    app.processEvents()
app.processEvents()
print("shown", flush=True)
os._exit(0)
"""
_BARE_WINDOW = """
import os
from PySide6.QtWidgets import QApplication, QMainWindow
import pyqtgraph
app = QApplication([])
window = QMainWindow()
window.setCentralWidget(pyqtgraph.PlotWidget())
window.show()
while not window.windowHandle().isExposed():
    app.processEvents()
app.processEvents()
print("shown", flush=True)
os._exit(0)
"""
_CASES = {"import torch": "import torch", "bare Qt + pyqtgraph window": _BARE_WINDOW, "CNN Studio": _WINDOW}


def seconds(code: str, home: str) -> float:
    """The time that a fresh Python process takes to run `code`."""
    environment = {**os.environ, "CNNSTUDIO_HOME": home}
    # Lets the first round compile the program, as an installation does.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.setdefault("QT_QPA_PLATFORM", "offscreen" if "DISPLAY" not in os.environ else "xcb")
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in _CASES}
    with tempfile.TemporaryDirectory() as home:
        for round_number in range(arguments.rounds + 1):
            for name, code in _CASES.items():
                taken = seconds(code, home)
                # The first round fills the disk cache and compiles.
                if round_number:
                    times[name].append(taken)
    torch = statistics.median(times["import torch"])
    result = {
        name: {"seconds": statistics.median(taken), "ratio": statistics.median(taken) / torch}
        for name, taken in times.items()
    }
    for name, row in result.items():
        print(f"{name:28} {row['seconds']:6.2f} s   × {row['ratio']:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
