"""Runs all benchmarks but the long ones, one after the other, and gathers what they found in one file.

python benchmarks/everything.py [--only training_speed …] [--keras-python PYTHON] [--json benchmarks.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NOT_ALONE = {"everything", "rivals", "keras_rival"}
"""What other scripts use."""
LONG = {"accuracy", "time_to_accuracy", "shapes_difficulty"}
"""What trains to the end."""


def names() -> list[str]:
    return sorted({path.stem for path in FOLDER.glob("*.py")} - NOT_ALONE - LONG)


def run(name: str, *more: str) -> dict[str, object]:
    """One script: how it ended, how long it took, and what it wrote."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        print(f"== {name}", flush=True)
        ended = subprocess.run([sys.executable, str(FOLDER / f"{name}.py"), "--json", str(report), *more])
        found = json.loads(report.read_text()) if report.exists() else None
    return {"status": ended.returncode, "seconds": time.perf_counter() - began, "found": found}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=names(), default=names(), metavar="NAME")
    parser.add_argument("--keras-python", help="a Python that has Keras, for training_speed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    # Scripts that open a window do so off the screen unless there is a display.
    if "DISPLAY" not in os.environ:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    more = {"training_speed": ["--keras-python", options.keras_python]} if options.keras_python else {}
    reports = {name: run(name, *more.get(name, ())) for name in options.only}
    print()
    for name, report in reports.items():
        words = "done" if report["status"] == 0 else "goal missed, or failed"
        print(f"{name:20} {report['seconds']:6.0f} s  {words}")
    if options.json:
        machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
        options.json.write_text(json.dumps({"machine": machine, "reports": reports}, indent=2) + "\n")
    return max(int(report["status"] != 0) for report in reports.values())


if __name__ == "__main__":
    sys.exit(main())
