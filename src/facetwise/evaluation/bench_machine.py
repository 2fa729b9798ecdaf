"""What a benchmark says of the machine, and how much memory it took."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any, Final

import torch

__all__ = ["machine", "peak_memory", "watch_memory"]

_STATUS: Final = Path("/proc/self/status")


def machine() -> dict[str, Any]:
    """Processor, cores, threads and versions, for JSON."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def watch_memory() -> None:
    """Forget the process's peak so far; `peak_memory` counts from here. Linux only."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not Linux, or not allowed: the peak is then that of the whole process
        return


def peak_memory() -> int | None:
    """The most memory that the process has held since `watch_memory`, in bytes; None: unknown."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else 1024 * int(found[1])
