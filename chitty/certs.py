"""A directory of certificates: what is where in it, and how it is filled. Knows no cryptography."""

import ipaddress
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chitty import hints
from chitty.core.errors import NotInstalled, SettingsError, cause
from chitty.core.names import fold

if TYPE_CHECKING:
    from chitty.authority import Authority, Identity

LOCAL = ("localhost", "127.0.0.1", "::1")
"""What the server's certificate is for in any case."""

DAYS = 365
"""How long certificates are valid, unless somebody says otherwise."""

_OTHERS_WRITE = 0o022
_HOST = re.compile(r"(\*\.)?([\w-]{1,63}\.)*(?![0-9]+\.?\Z)[\w-]{1,63}\.?")  # no name ends in a number


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate and its private key, both PEM."""

    cert: Path
    key: Path

    def exist(self) -> bool:
        """Tell whether either is there."""
        return self.cert.exists() or self.key.exists()


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths in a directory of certificates. What can be a participant's name is safe in a path."""

    directory: Path

    @property
    def authority(self) -> Files:
        """The authority's own."""
        return Files(self.directory / "ca.crt", self.directory / "ca.key")

    @property
    def server(self) -> Files:
        """The server's."""
        return Files(self.directory / "server.crt", self.directory / "server.key")

    @property
    def clients(self) -> Path:
        """The folder of the participants'."""
        return self.directory / "clients"

    def client(self, name: str) -> Files:
        """Return a participant's, whatever the case in which its name is written."""
        return Files(self.clients / f"{fold(name)}.crt", self.clients / f"{fold(name)}.key")


@dataclass(frozen=True, slots=True)
class Made:
    """Certificates that were made, and those that were there and are kept."""

    made: tuple[Path, ...]
    kept: tuple[Path, ...]


def make(
    directory: Path, names: Sequence[str], *, hosts: Sequence[str] = (), days: int = DAYS, force: bool = False
) -> Made:
    """Make certificates for the server and for participants, and an authority where the directory has none.

    An authority that is there is kept. So is the server's certificate, unless `hosts` are given for it, or
    `force` without names: participants are added without a word about the server.

    Args:
        directory: made if need be, for its owner only.
        names: of participants, normalised.
        hosts: names and addresses of the server, beside those of this machine.
        days: of validity.
        force: overwrite what is asked for and there already; the authority stays.

    Raises:
        NotInstalled: the `cryptography` package is missing.
        SettingsError: a certificate is there already, a host is none, or a file cannot be read or written.
    """
    folder, unique = Folder(directory), list({fold(name): name for name in names}.values())
    for host in hosts:
        if not _is_host(host):
            raise SettingsError(
                f"{host!r} is neither a name nor an IP address of a server: give one such as chat.example or 10.0.0.1,"
                " without a port"
            )
    try:
        fresh = not folder.authority.exist()
        server = fresh or bool(hosts) or (force and not names) or not folder.server.exist()
        wanted = [folder.client(name) for name in unique] + ([folder.server] if server else [])
        if not force:
            _refuse_to_overwrite(wanted)
        authority = _authority(folder)
        made = [folder.authority.cert] if fresh else []
        if server:
            every = list(dict.fromkeys([*LOCAL, *hosts]))
            made.append(_write(folder.server, authority.certify_server(every, days)))
        made += [_write(folder.client(name), authority.certify_client(name, days)) for name in unique]
    except OSError as error:
        where = error.filename or directory
        raise SettingsError(f"cannot make certificates in {directory}: cannot write {where}: {cause(error)}") from None
    kept = [files.cert for files, new in ((folder.authority, fresh), (folder.server, server)) if not new]
    return Made(tuple(made), tuple(kept))


def _authority(folder: Folder) -> "Authority":
    """Return the authority of a directory, a new one where there is none."""
    try:
        from chitty import authority  # noqa: PLC0415 - an extra that only this needs
    except ImportError:
        raise NotInstalled(
            f"making certificates needs cryptography, which is missing: `{hints.install('tls')}`, or make them with "
            "another tool"
        ) from None
    for directory in (folder.directory, folder.clients):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_if_others_write(directory)
    own = folder.authority
    if not own.exist():
        made = authority.Authority.new()
        _write(own, made.identity)
        return made
    try:
        return authority.Authority.load(own.cert.read_bytes(), own.key.read_bytes())
    except authority.NoAuthority as error:
        raise SettingsError(
            f"{own.cert} with {own.key} is no authority to sign with: {error}; remove both to begin with a new one"
        ) from None


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return _HOST.fullmatch(host) is not None
    return True


def _refuse_to_overwrite(wanted: Sequence[Files]) -> None:
    there = [str(files.cert) for files in wanted if files.exist()]
    if there:
        raise SettingsError(
            f"{', '.join(there)} exist{'s' if len(there) == 1 else ''} already: --force makes anew what is asked for;"
            " what was made before stays valid until its end"
        )


def _refuse_if_others_write(directory: Path) -> None:
    found = directory.stat()
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise SettingsError(
            f"others could replace what is in {directory} (mode {stat.S_IMODE(found.st_mode):04o}):"
            f" `chmod 700 {directory}`, or give a directory of your own"
        )


def _write(files: Files, identity: "Identity") -> Path:
    """Write both, the key for its owner only from its first byte on; return the certificate's path."""
    _put(files.key, identity.key, 0o600)
    _put(files.cert, identity.cert, 0o644)
    return files.cert


def _put(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
