"""`cnnstudio train --print-launch`: the printed script starts the same training."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cnnstudio.cli.main import main

# One name needs quotes, another contains one.
COMMAND = ["train", "my design.cnn.json", "--data", "it's here", "--recipe", "lesson", "--epochs", "3"]

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="the script is bash's")


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main([*COMMAND, *options]) == 0
    return capsys.readouterr().out


def arguments_of(script: str, prefix: str) -> list[str]:
    """The arguments on the only line that starts with the prefix."""
    (line,) = (line for line in script.splitlines() if line.startswith(prefix))
    return shlex.split(line.removeprefix(prefix))


def test_the_torchrun_line_runs_the_same_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = arguments_of(printed(capsys, "--print-launch", "--ranks-per-node", "4"), "#   ")
    assert arguments[:4] == ["torchrun", "--standalone", "--nproc-per-node", "4"]
    assert "--max-restarts" in arguments
    assert arguments[arguments.index("-m") :] == ["-m", "--", "cnnstudio", *COMMAND]


@needs_bash
def test_the_script_is_valid_bash(capsys: pytest.CaptureFixture[str]) -> None:
    script = printed(capsys, "--print-launch", "--nodes=2", "--ranks-per-node=2", "--run", "a;b $(c) \\")
    assert script.startswith("#!/bin/bash\n#SBATCH")
    ended = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@needs_bash
def test_the_script_asks_slurm_for_one_torchrun_on_each_machine(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = printed(capsys, "--nodes", "3", "--print-launch", "--ranks-per-node", "2", "--device", "cpu")
    assert "#SBATCH --nodes=3\n#SBATCH --ntasks-per-node=1\n" in script
    assert "gpus" not in script
    # Replaces Slurm: prints the names of the machines, and the arguments of srun.
    for name, command in (
        ("scontrol", 'printf "first\\nsecond\\nthird\\n"'),
        ("srun", 'printf "%s\\0" "$@"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/bash\n{command}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"SLURM_JOB_ID": "12345678", "SLURM_JOB_NODELIST": "node[1-3]", "SLURM_CPUS_PER_TASK": "16"}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash"], input=script, env={"PATH": path, **environment}, capture_output=True, text=True, check=True
    )
    torchrun, *arguments = ended.stdout.split("\0")[:-1]
    assert torchrun == "torchrun"
    options = dict(
        zip(arguments[: arguments.index("-m") : 2], arguments[1 : arguments.index("-m") : 2], strict=True)
    )
    assert options == {
        "--nnodes": "3",
        "--nproc-per-node": "2",
        "--max-restarts": "3",
        "--rdzv-backend": "c10d",
        "--rdzv-id": "12345678",
        "--rdzv-endpoint": "first:25678",
    }
    assert arguments[arguments.index("-m") :] == ["-m", "--", "cnnstudio", *COMMAND, "--device", "cpu"]


def test_gpus_are_requested_unless_the_device_is_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert "#SBATCH --gpus-per-node=8\n" in printed(capsys, "--print-launch", "--ranks-per-node", "8")


def test_the_script_needs_neither_data_nor_torch(tmp_path: Path) -> None:
    program = "import sys; from cnnstudio.cli.main import main; main(sys.argv[1:]); "
    program += "sys.exit('torch' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program, *COMMAND, "--print-launch"],
        env={**os.environ, "CNNSTUDIO_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--nodes", "0"], "--nodes"),
        (["--ranks-per-node", "x"], "--ranks"),
        (["--run", "a\nb"], "line break"),
    ],
)
def test_invalid_launch_options_are_refused(
    options: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*COMMAND, "--print-launch", *options]) == 2
    assert word in capsys.readouterr().err
