"""`cnnstudio train --print-launch`: a script that starts the training on several processes and machines."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from cnnstudio.cli.command import UsageError
from cnnstudio.core.parameters import shorten

_RESTARTS = 3
"""How often torchrun restarts all processes after one is lost, before it gives up."""

_MAX_COUNT = 10_000

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name=cnnstudio
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
{gpus}\
# On one machine, without Slurm:
#   {standalone}
set -euo pipefail

cpus=${{SLURM_CPUS_PER_TASK:-{ranks}}}
export SRUN_CPUS_PER_TASK=$cpus OMP_NUM_THREADS=$((cpus > {ranks} ? cpus / {ranks} : 1))
read -r first_node < <(scontrol show hostnames "$SLURM_JOB_NODELIST")

srun torchrun --nnodes {nodes} --nproc-per-node {ranks} --max-restarts {restarts} \\
    --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" \\
    --rdzv-endpoint "$first_node:$((20000 + SLURM_JOB_ID % 10000))" \\
    {command}"""


def add_launch_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that print a launch script instead of training."""
    group = parser.add_argument_group("distributed training with torchrun")
    group.add_argument(
        "--print-launch",
        action="store_true",
        help="do not train; print a Slurm script that runs this command on several processes and restarts "
        "them if one is lost, and the torchrun command that does the same without Slurm",
    )
    group.add_argument("--nodes", type=_count, metavar="N", default=1, help="number of machines (default: 1)")
    group.add_argument(
        "--ranks-per-node",
        type=_count,
        metavar="N",
        default=1,
        help="processes per machine, usually one per GPU (default: 1)",
    )


def launch_script(options: argparse.Namespace, argv: Sequence[str]) -> str:
    """The script for the command line `argv`, parsed as `options`, without the launch options themselves.

    Raises UsageError for arguments that cannot be written into a script.
    """
    if any("\n" in argument for argument in argv):
        raise UsageError("--print-launch: arguments with line breaks cannot be written into a script")
    launch_options = argparse.ArgumentParser(add_help=False)
    add_launch_options(launch_options)
    # Without the two dashes, torchrun takes our options for abbreviations of its own, such as --run-path.
    command = shlex.join(["-m", "--", "cnnstudio", *launch_options.parse_known_args(argv)[1]])
    ranks = options.ranks_per_node
    return _SCRIPT.format(
        nodes=options.nodes,
        ranks=ranks,
        restarts=_RESTARTS,
        gpus="" if options.device == "cpu" else f"#SBATCH --gpus-per-node={ranks}\n",
        standalone=f"torchrun --standalone --nproc-per-node {ranks} --max-restarts {_RESTARTS} {command}",
        command=command,
    )


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= _MAX_COUNT:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be an integer from 1 to {_MAX_COUNT:,}, got {shorten(text)}")
