"""`make test-systemd`: the tests here, or in words why they cannot run on this machine."""

import sys
from pathlib import Path

import pytest

from tests.systemd import box, installation


def main() -> int:
    """Return pytest's status; 0 where the tests cannot run, having said why."""
    why_not = box.why_not() or installation.why_not()
    if why_not:
        print(f"test-systemd: NOT RUN on this machine: {why_not}")
        return 0
    return int(pytest.main(["--timeout=600", str(Path(__file__).parent), *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
