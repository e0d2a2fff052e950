"""Whether participants have what the service will ask them for, before any of them is started."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from chitty.certs import Folder
from chitty.core.errors import SettingsError
from chitty.settings import Settings


def check(told: Settings, names: Sequence[str]) -> None:
    """Refuse to start participants whose certificates are missing where the service asks for them.

    Raises:
        SettingsError: some are; the text says whose, and how to make them.
    """
    if not told.server.tls.client_ca or not names:
        return
    certs = told.clients.tls.certs
    if not certs:
        raise SettingsError(
            "server.tls.client_ca asks participants for certificates: name the directory of theirs, as `chitty certs`"
            " makes it, in clients.tls.certs"
        )
    folder = Folder(Path(certs))
    missing = [name for name in names if not all(path.is_file() for path in _both(folder, name))]
    if missing:
        made = shlex.join(["chitty", "certs", certs, *missing])
        raise SettingsError(
            f"no certificate for {', '.join(missing)} in {folder.clients}, and the service asks for one: `{made}` makes"
            f" {'it' if len(missing) == 1 else 'them'}"
        )


def _both(folder: Folder, name: str) -> tuple[Path, Path]:
    files = folder.client(name)
    return files.cert, files.key
