"""What is built is what is run: the wheel, installed where nothing else of ours is."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command that sees nothing of the checkout and nothing of the user's settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NOTIFIER_", "MULEROUTER_", "PYTHON"))
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def build(source: Path, target: str, folder: Path) -> Path:
    """Build as pip would without isolation, with the tools that are locked."""
    before = set(folder.glob("*"))
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=source)
    (made,) = set(folder.glob("*")) - before
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the source archive makes: so the archive is whole, too."""
    folder = tmp_path_factory.mktemp("dist")
    with tarfile.open(build(ROOT, "sdist", folder)) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    return build(source, "wheel", folder)


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel in it; what the wheel needs is borrowed from this one.

    A path in a .pth file is searched last, and the .pth files in it are not read: a checkout that is linked
    into this environment is not seen from there.
    """
    folder = tmp_path_factory.mktemp("installed") / "env"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps",
        "--disable-pip-version-check", wheel, cwd=folder.parent,
    )  # fmt: skip
    (packages,) = folder.glob("lib/python*/site-packages")
    borrowed = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return folder


def test_the_wheel_has_all_that_is_needed_beside_the_code(wheel: Path) -> None:
    """Types, SQL, the units, the manual page, the licence; and nothing of the tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    (data,) = {name.split("/")[0] for name in names if ".data/" in name}
    facts = data.replace(".data", ".dist-info")
    assert {
        "notifier/py.typed",
        "notifier/store/sqlite/queries.sql",
        "notifier/store/sqlite/migrations/0001_initial.sql",
        "notifier/systemd/notifier.service",
        f"{data}/data/share/man/man1/notifier.1",
        f"{facts}/licenses/LICENSE",
    } <= names
    assert {name.split("/")[0] for name in names} == {"notifier", data, facts}


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    """And every unit."""
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.startswith("notifier/")}
    code = {path for path in (ROOT / "notifier").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    units = {f"notifier/systemd/{path.name}" for path in (ROOT / "systemd").iterdir()}
    assert shipped == {path.relative_to(ROOT).as_posix() for path in code} | units


def test_the_installed_command_starts_and_its_page_is_in_place(environment: Path) -> None:
    """From its own environment, not from the checkout."""
    said = run(environment / "bin" / "notifier", "version", cwd=environment)
    assert said.stdout.startswith("notifier ")
    code = "import notifier; print(notifier.__file__)"
    place = run(environment / "bin" / "python", "-c", code, cwd=environment)
    assert place.stdout.startswith(str(environment))
    assert (environment / "share" / "man" / "man1" / "notifier.1").is_file()


def test_the_demo_runs_from_the_wheel(environment: Path) -> None:
    """The daemon, the simulated provider and the receiver, with no checkout anywhere."""
    said = run(environment / "bin" / "notifier", "demo", cwd=environment, HOME=str(environment))
    assert "callbacks arrived and were verified" in said.stdout
