"""Whether a stack has what its service and its participants will ask each other for, before any of them is started."""

import functools
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chitty.certs import Folder
from chitty.core.errors import SettingsError
from chitty.settings import Settings
from chitty.wire import secret, tls


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


def troubles(told: Settings, names: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the certificates, keys and secret that the settings name, and with its remedy."""
    own = told.server.tls
    looks: list[Callable[[], object]] = [lambda: check(told, names), lambda: secret.read(told.server.secret_file)]
    if own.cert:
        looks.append(lambda: tls.read_pair(own.cert, own.key))
    authorities = filter(None, (own.client_ca, told.clients.tls.ca))
    looks += [functools.partial(tls.read_authority, authority) for authority in authorities]
    for look in looks:
        try:
            look()
        except SettingsError as error:
            yield str(error)
    for path in filter(tls.is_open, filter(None, (own.key, told.server.secret_file))):
        yield f"others than you can read {path}: `chmod 600 {shlex.quote(path)}`"


def _both(folder: Folder, name: str) -> tuple[Path, Path]:
    files = folder.client(name)
    return files.cert, files.key
