"""demo shows the whole on any machine, whatever is set up there; tests/e2e plays it."""

from pathlib import Path

from notifier.cli.demo import _environ
from notifier.config.load import find_file, load
from notifier.core.delivery.signature import make_secret


def test_the_demos_daemon_reads_no_configuration_of_this_machine(tmp_path: Path) -> None:
    """A service has one in /etc/notifier; by its tokens the demo would be refused."""
    system_file = tmp_path / "etc" / "config.toml"
    system_file.parent.mkdir()
    system_file.write_text('[server]\ntokens = [{ env = "HOME" }]\n')
    environ = _environ(tmp_path, "http://127.0.0.1:1", make_secret(bytes(32)))
    config = load(find_file(None, environ, tmp_path, system_file=system_file), environ)
    assert config.server.tokens == ()
    assert config.server.listen == "127.0.0.1:0"
