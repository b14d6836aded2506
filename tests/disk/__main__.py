"""`make faults`: the whole of it. Each call of each scenario with each kind of fault, and many power cuts."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.disk import shim

RUNS = (
    ("tests.disk.sweep",),
    ("tests.disk.power", "--cuts", "1200"),
)


def main() -> int:
    """Run all under the shim; returns how many found something."""
    if reason := shim.why_not():
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as scratch:
        environ = shim.environ(shim.built(Path(scratch)))
        wrong = 0
        for run in RUNS:
            print(" ".join(run), flush=True)
            wrong += subprocess.run([sys.executable, "-m", *run], env=environ, check=False).returncode != 0
    return wrong


if __name__ == "__main__":
    sys.exit(main())
