"""all.py: every bench, one after another.

usage: ./dev bench all
A bench that fails does not keep the others from running; the exit code tells.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHES = ("append", "small_batches", "promise", "upsert", "latency", "restart", "memory", "rival", "wal")


def main() -> int:
    failed = []
    for name in BENCHES:
        path = Path(__file__).resolve().parent / f"{name}.py"
        if subprocess.run([sys.executable, path]).returncode != 0:
            failed.append(name)
        print(flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
