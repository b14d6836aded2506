"""Load what the configuration refers to: secrets, and files of certificates and keys."""

import os
import re
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from notifier.config.parsers import CertificateFile, InvalidValue, KeyFile, SecretReference, parse_each
from notifier.core.secret import Secret

_QUOTES = ("'", '"')
_ASSIGNMENT = re.compile(r"(?:export\s+)?[A-Z0-9_]*(?:KEY|TOKEN|SECRET)[A-Z0-9_]*\s*=")
_MAX_BYTES = 8_192  # no record of why; changing it needs a measurement


@dataclass
class SecretResolver:
    """Loads secrets. Relative paths start at ``folder``; ``notes`` collects likely mistakes."""

    environ: Mapping[str, str]
    folder: Path
    notes: list[str] = field(default_factory=list)

    def resolve(self, value: object) -> object:
        """Replace references by their secrets and return other values as they are. Raise InvalidValue."""
        if isinstance(value, tuple):
            return parse_each(self.resolve, value)
        if isinstance(value, dict):
            return {name: self.resolve(item) for name, item in value.items()}
        if isinstance(value, CertificateFile):
            return self._check_certificates(value)
        if isinstance(value, KeyFile):
            return self._check_key_file(value)
        return self.find(value) if isinstance(value, SecretReference) else value

    def find(self, reference: SecretReference) -> Secret:
        """Return the secret. Raise InvalidValue, which names the source and the fix, never the value."""
        file = ""
        match reference.kind:
            case "env":
                what = f"environment variable {reference.name}"
                value = self.environ.get(reference.name, "")
                if not value:
                    raise InvalidValue(f"{what} is not set or empty; set it, or name another")
            case "file":
                what = f"file {reference.name}"
                file = str((self.folder / reference.name).absolute())
                value = self._read(self.folder / reference.name, what)
            case _:
                what = f"credential {reference.name}"
                path = self._credential(reference.name)
                file, value = str(path), self._read(path, what)
        return _check_value(value, what, reference.name if reference.kind == "env" else what, file)

    def _check_certificates(self, certificates: CertificateFile) -> str:
        """Return the path of the file after a check that it contains certificates."""
        path = self.folder / certificates.path
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        except ssl.SSLError:
            raise InvalidValue(f"file {path} contains no certificate; put the CA's into it, as PEM") from None
        except OSError as error:
            raise InvalidValue(
                f"file {path} cannot be read: {error.strerror}; it must exist and be readable for this user"
            ) from None
        return str(path)

    def _check_key_file(self, key: KeyFile) -> str:
        """Return the path of the file after a check that it can be read. ``validate.py`` looks into it."""
        path = self.folder / key.path
        self._read(path, f"file {path}")
        return str(path)

    def _credential(self, name: str) -> Path:
        directory = self.environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise InvalidValue(
                f"credential {name} cannot be found: CREDENTIALS_DIRECTORY is not set; "
                f"systemd sets it for a unit with LoadCredential={name}:PATH; "
                "in a shell, as root, set it to /run/credentials/notifier.service"
            )
        return Path(directory, name)

    def _read(self, path: Path, what: str) -> str:
        try:
            # Non-blocking, because opening a pipe by mistake would wait for a writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                mode = os.fstat(descriptor).st_mode
                raw = os.read(descriptor, _MAX_BYTES + 1) if stat.S_ISREG(mode) else None
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InvalidValue(
                f"{what} cannot be read: {error.strerror}; it must exist and be readable for this user"
            ) from None
        if raw is None:
            raise InvalidValue(f"{what} is not a regular file; name one that contains the secret")
        if len(raw) > _MAX_BYTES:
            raise InvalidValue(f"{what} is larger than {_MAX_BYTES} bytes; it must contain the secret alone")
        if mode & stat.S_IROTH:
            self.notes.append(f"{what} contains a secret and can be read by every user; chmod 600 it")
        return raw.decode("utf-8-sig", "replace")


def read_secret_file(secret: Secret) -> Secret:
    """Read the file of a secret again. Raise InvalidValue."""
    path = Path(secret.file)
    value = SecretResolver({}, path.parent)._read(path, secret.origin)
    return _check_value(value, secret.origin, secret.origin, secret.file)


def _check_value(value: str, what: str, origin: str, file: str = "") -> Secret:
    value = value.strip()
    if _ASSIGNMENT.match(value):
        raise InvalidValue(f"{what} begins with the name of a variable; it must be the secret alone")
    if value[:1] in _QUOTES and value.endswith(value[:1]):
        raise InvalidValue(f"{what} is in quotes; it must be the secret alone")
    if not value:
        raise InvalidValue(f"{what} is empty; put the secret into it")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise InvalidValue(
            f"{what} contains characters that no header allows; it must be one line of visible ASCII"
        )
    return Secret(value, origin, file)
