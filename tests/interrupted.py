"""Train in a process of its own, and stop it in the middle."""

import signal
import subprocess
import sys
from pathlib import Path


def start(folder: Path, arguments: list[str], stop_at: str, how: signal.Signals) -> tuple[int, str]:
    """`python -m modules train` with `arguments` in `folder`, stopped once a line starts with `stop_at`.

    Returns the exit code and what was printed.
    """
    command = [sys.executable, "-m", "modules", "train", *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.strip().startswith(stop_at):
            process.send_signal(how)
    return process.wait(), "".join(lines)
