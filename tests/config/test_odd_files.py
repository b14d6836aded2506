"""What editors, shells and container tools do to a file or a variable is understood, or told in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from notifier.config import read_file
from notifier.config.errors import InvalidConfig
from notifier.config.load import find_file, load, refuse_stream
from notifier.core.secret import Secret
from tests.config.conftest import Read, Refuse

KEY = "sk-mr-canary-0123456789"
KEY_TABLE = '[providers.mulerouter]\napi_key = { file = "key" }'


@pytest.mark.fault(139)
@pytest.mark.parametrize("place", ["config.toml", "home/.config/notifier/config.toml", "etc/config.toml"])
def test_a_link_to_nothing_is_not_the_same_as_no_file(tmp_path: Path, place: str) -> None:
    """The defaults would have no tokens, and listen where nobody expects it."""
    link = tmp_path / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "gone.toml")
    found = find_file(
        None, {}, cwd=tmp_path, home=tmp_path / "home", system_file=tmp_path / "etc" / "config.toml"
    )
    assert found == link
    with pytest.raises(InvalidConfig, match="No such file"):
        load(found, {})


@pytest.mark.fault(139)
def test_a_pipe_is_read_if_somebody_writes_to_it(tmp_path: Path) -> None:
    """`notifier run --config <(sops -d config.toml)` works; only it cannot be reloaded."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = "[polling]\nmax_interval = '77s'\n" + "#" * 60_000
    code = f"import time; open({str(pipe)!r}, 'w').write({text!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as writer:
        config = load(pipe, {})
        assert writer.wait() == 0
    assert config.providers["mulerouter"].polling.max_interval_ms == 77_000
    with pytest.raises(InvalidConfig, match="no regular file"):
        refuse_stream(pipe)


@pytest.mark.fault(139)
def test_a_pipe_without_a_writer_is_refused_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hang for ever, or be empty, which means the defaults."""
    monkeypatch.setattr(read_file, "PIPE_TIMEOUT_S", 0.01)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidConfig, match="cannot be read: nothing was written"):
        load(tmp_path / "pipe", {})
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(InvalidConfig, match="a pipe that nobody writes to"):
        load(Path(f"/dev/fd/{reader}"), {})
    os.close(reader)


@pytest.mark.fault(139)
def test_what_can_be_read_again_may_be_reloaded(tmp_path: Path) -> None:
    """A file, a link to one, and /dev/null; a missing one is told by the reading itself."""
    (tmp_path / "config.toml").touch()
    (tmp_path / "link.toml").symlink_to("config.toml")
    for path in ("config.toml", "link.toml", "gone.toml"):
        refuse_stream(tmp_path / path)
    refuse_stream(Path(os.devnull))
    refuse_stream(None)
    assert load(Path(os.devnull), {}).source == os.devnull


@pytest.mark.fault(140)
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    """Notepad writes one, into the configuration and into a key file."""
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf" + KEY_TABLE.encode())
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbf" + KEY.encode() + b"\r\n")
    assert load(tmp_path / "config.toml", {}).providers["mulerouter"].api_key == Secret(KEY)


@pytest.mark.fault(140)
@pytest.mark.parametrize(
    "text", ["/srv/notifier.db ", "\t/srv/notifier.db\r", '"/srv/notifier.db"', "'/srv/notifier.db' "]
)
def test_blanks_and_quotes_around_a_variable_are_no_part_of_it(read: Read, text: str) -> None:
    """They would make a second database beside the first; `docker --env-file` keeps both."""
    assert read("", {"NOTIFIER_STORE__URL": text}).store.url == "/srv/notifier.db"


@pytest.mark.fault(140)
@pytest.mark.parametrize("content", [f" {KEY} \n", f"{KEY}\r\n", f"\n{KEY}"])
def test_blanks_around_a_secret_are_no_part_of_it(read: Read, tmp_path: Path, content: str) -> None:
    """No header allows them."""
    (tmp_path / "key").write_text(content)
    assert read(KEY_TABLE).providers["mulerouter"].api_key == Secret(KEY)


@pytest.mark.fault(140)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f'"{KEY}"', "in quotes"),
        (f"'{KEY}'\n", "in quotes"),
        (f"MULEROUTER_API_KEY={KEY}", "name of a variable"),
        (f"export API_TOKEN={KEY}\n", "name of a variable"),
        (f"SECRET = {KEY}", "name of a variable"),
    ],
)
def test_a_key_file_in_the_form_of_another_is_told(
    refuse: Refuse, tmp_path: Path, content: str, words: str
) -> None:
    """The provider would refuse such a key, and nobody would see why."""
    (tmp_path / "key").write_text(content)
    [told] = refuse(KEY_TABLE)
    assert words in told
    assert KEY not in told


@pytest.mark.parametrize("key", ["a=b", "QUJDREVGRw==", "eyJhbGciOi=x.y", "whsec=1"])
def test_a_key_with_an_equals_sign_is_a_key(read: Read, tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text(key)
    assert read(KEY_TABLE).providers["mulerouter"].api_key == Secret(key)
