"""How long `import facetwise` and `facetwise --help` take: medians over fresh processes, as JSON.

    python benchmarks/startup.py --runs 11

The design asks for under 0.5 s each; a bare `python -c pass` on the same machine is beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import facetwise": [sys.executable, "-c", "import facetwise"],
    "facetwise --help": [sys.executable, "-m", "facetwise.cli.main", "--help"],
    "facetwise search --help": [sys.executable, "-m", "facetwise.cli.main", "search", "--help"],
}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    runs = parser.parse_args().runs
    medians = {}
    for name, command in COMMANDS.items():
        seconds(command)  # the first one fills the caches of the file system and of bytecode
        medians[name] = round(statistics.median(seconds(command) for _ in range(runs)), 4)
    result = {
        "benchmark": "startup",
        "unit": "seconds, median",
        "runs": runs,
        "results": medians,
        "machine": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
