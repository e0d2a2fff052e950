"""Settings: YAML to validated values. Knows no file but the text it is given, and starts nothing."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import yaml

from chitty.core.errors import InvalidArgument, SettingsError, cause
from chitty.core.names import check_text, normalise

T = TypeVar("T")

_WHERE = re.compile(r"(.*) - at `(key` in `)?\$([^`]*)`", re.DOTALL)
"""How msgspec ends its errors: the last such end is its own, whatever the value at fault says."""

_SPEC = re.compile(r"[\w.]+:\w+")

Count = Annotated[int, msgspec.Meta(ge=1)]
Size = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]

Seed = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # what JSON carries to a participant's process

_C_INT = 2**31 - 1
"""The largest number that gRPC takes for an option."""


class _Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A mapping in the YAML; unknown keys are errors, so that a misspelt one is not silently ignored."""


class Limits(_Section, frozen=True):
    """Bounds on what peers may ask for; a count of 0 sets no bound."""

    participants: Count
    participants_per_address: Size
    joins_waiting: Size
    messages_per_second: Annotated[float, msgspec.Meta(ge=0)]
    publish_streams: Size
    messages_per_request: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    receipts: Annotated[int, msgspec.Meta(ge=1, le=65_536)]
    request_bytes: Annotated[int, msgspec.Meta(ge=4096, le=_C_INT)]
    metadata_bytes: Annotated[int, msgspec.Meta(ge=1024, le=_C_INT)]
    handshake: Seconds

    def __post_init__(self) -> None:
        if self.receipts < self.messages_per_request:
            raise ValueError(
                f"receipts: {self.receipts} are fewer than the {self.messages_per_request} messages of a request,"
                " whose receipts must all be remembered"
            )


class Window(_Section, frozen=True):
    """What is kept in memory for those that lag."""

    events: Count
    bytes: Annotated[int, msgspec.Meta(ge=65_536)]


class Lag(_Section, frozen=True):
    """How far a participant may fall behind before its stream is ended; it may resume."""

    events: Count
    seconds: Seconds


class Retention(_Section, frozen=True):
    """How much of the past a database keeps, at least: what is older on either count may go."""

    events: Count
    days: Annotated[float, msgspec.Meta(gt=0, le=36_525)]


class Database(_Section, frozen=True):
    """The database of the sequencer `sqlite`; `path` is relative to where the server runs."""

    path: Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^\x00]+\Z")]
    synchronous: Literal["full", "normal", "off"]
    snapshot_every: Count
    retention: Retention


class Keepalive(_Section, frozen=True):
    """How a peer that vanished without a word is noticed."""

    interval: Seconds
    timeout: Seconds


class Tls(_Section, frozen=True):
    """The certificates of the service: paths of PEM files, empty for none.

    Attributes:
        client_ca: of the authority whose certificates participants have to show (mutual TLS).
    """

    cert: str
    key: str
    client_ca: str

    def __post_init__(self) -> None:
        if bool(self.cert) is not bool(self.key):
            raise ValueError("cert and key belong together: give both, or neither")
        if self.client_ca and not self.cert:
            raise ValueError("client_ca needs cert and key: participants are asked for theirs under TLS only")


class Server(_Section, frozen=True):
    """The service."""

    host: Annotated[str, msgspec.Meta(pattern=r"^[!-~]+\Z")]
    port: Port
    insecure: bool
    secret_file: str
    tls: Tls
    sequencer: Literal["sqlite", "memory"]
    database: Database
    grace: Annotated[float, msgspec.Meta(ge=0, le=86_400)]
    lag: Lag
    drain: Seconds
    limits: Limits
    window: Window
    keepalive: Keepalive


class Bot(_Section, frozen=True):
    """What the bots that come with the service do."""

    rate: Annotated[float, msgspec.Meta(gt=0, le=1000)]
    seed: Seed | None
    phrases: Annotated[list[str], msgspec.Meta(min_length=1)]
    run: str

    def __post_init__(self) -> None:
        for phrase in self.phrases:
            try:
                check_text(phrase)
            except InvalidArgument as error:
                raise ValueError(f"phrases: {error}") from None
        if not _SPEC.fullmatch(self.run):
            raise ValueError(f"run: {self.run!r} is not of the form package.module:function")


class ClientTls(_Section, frozen=True):
    """What participants have when the service has TLS.

    Attributes:
        ca: PEM file of the authority that they trust; empty for that of `certs`, or else the system's.
        certs: directory of their certificates, as `chitty certs` makes it; empty for none.
    """

    ca: str
    certs: str


class Clients(_Section, frozen=True):
    """Who takes part when nobody says, how their processes are started, and what they show and trust."""

    count: Size
    start: Literal["fork", "exec"]
    roster: list[str]
    tls: ClientTls

    def __post_init__(self) -> None:
        for name in self.roster:
            try:
                normalise(name)
            except InvalidArgument as error:
                raise ValueError(f"roster: {error}") from None


class Logs(_Section, frozen=True):
    """The log files."""

    max_bytes: Size
    backups: Size


class Settings(_Section, frozen=True):
    """Everything that conf/chitty.yaml can say."""

    server: Server
    clients: Clients
    bot: Bot
    logs: Logs


class Trust(_Section, frozen=True):
    """How a participant's process trusts the service and is trusted: paths, and nothing that is itself secret.

    Attributes:
        tls: whether the service is called by TLS.
        ca: PEM file of the authority that it must be certified by; empty for the system's.
        cert: the participant's own certificate, and `key` its private key; empty for none.
        secret_file: file with the join secret; empty for what the environment says.
        insecure: whether the secret may travel without TLS beyond this machine.
    """

    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""
    secret_file: str = ""
    insecure: bool = False


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What clients/NAME.json tells a participant's process: everything that must not stand in an ini file.

    Attributes:
        name: the real name, as the participant asks to be called.
        kind: a bot speaks by itself, a human what its standard input says.
        run: `package.module:function` of a bot.
        path: folders in which a user's own bot is looked for.
        server: `host:port`, or empty for what ready/server says.
        trust: how it and the service make sure of each other.
    """

    name: str
    kind: Literal["bot", "human"]
    run: str
    bot: Bot
    keepalive: Keepalive
    path: list[str] = []
    server: str = ""
    trust: Trust = Trust()


def load(text: str, source: str, base: str = "") -> Settings:
    """Read settings from YAML, laid over those of `base`; `source` names the YAML in errors.

    What `text` leaves out of a section keeps the value of `base`; a list replaces a list.

    Raises:
        SettingsError: the text is not YAML, or a setting is unknown, missing or out of its range.
    """
    return convert(_overlay(mapping(base, "the default settings"), mapping(text, source)), Settings, source)


def read(path: Path, base: Path | None = None) -> Settings:
    """Read the settings of a file, laid over those of the file `base`.

    Raises:
        SettingsError: a file cannot be read, or as `load` does.
    """
    return load(text_of(path), str(path), text_of(base) if base else "")


def located(told: Settings, folder: Path) -> Settings:
    """Return settings whose paths are absolute: relative ones are of `folder`, and `~` is the home directory.

    Raises:
        SettingsError: a path is of the home directory of somebody who has none.
    """
    replace = msgspec.structs.replace

    def absolute(path: str) -> str:
        try:
            return str((folder / Path(path).expanduser()).absolute()) if path else ""
        except RuntimeError:
            raise SettingsError(f"{path!r} begins with the home directory of nobody here: write it out") from None

    server, tls, own = told.server, told.server.tls, told.clients.tls
    tls = Tls(cert=absolute(tls.cert), key=absolute(tls.key), client_ca=absolute(tls.client_ca))
    server = replace(server, secret_file=absolute(server.secret_file), tls=tls)
    own = ClientTls(ca=absolute(own.ca), certs=absolute(own.certs))
    return replace(told, server=server, clients=replace(told.clients, tls=own))


def text_of(path: Path) -> str:
    """Return the text of a file.

    Raises:
        SettingsError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {cause(error)}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 at byte {error.start}") from None


def mapping(text: str, source: str, form: str = "settings are sections such as `server:`") -> dict[str, Any]:
    """Read YAML that holds a mapping; `form` says in errors what it should have looked like.

    Raises:
        SettingsError: it is not YAML, or something else.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise SettingsError(f"{source} is not YAML{where}: {problem}") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # an explicit tag such as `!!timestamp soon` makes PyYAML raise whatever its conversion raises
        raise SettingsError(f"{source} is not usable as YAML: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SettingsError(f"{source} holds a {type(value).__name__}: {form}")
    return value


def _overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with what `over` says, section by section."""
    merged = dict(base)
    for key, own in over.items():
        value = own
        beneath = merged.get(key)
        if isinstance(beneath, dict) and isinstance(value, dict):
            value = _overlay(beneath, value)
        merged[key] = value
    return merged


def convert(
    value: Any,
    into: type[T],
    source: str,
    noun: str = "setting",
    hook: Callable[[type, Any], Any] | None = None,
) -> T:
    """Check a plain value against a section and return it as one; `hook` makes values of types of its own.

    Raises:
        SettingsError: it does not fit; the text names the setting, or whatever the noun is, by its path.
    """
    try:
        return msgspec.convert(value, into, dec_hook=hook)
    except msgspec.ValidationError as error:
        found = _WHERE.fullmatch(str(error))
        message, key, where = found.groups() if found else (str(error), None, "")
        at = f"{source}, {noun} {where.lstrip('.')}" if where else source
        raise SettingsError(f"{at}: {message[:1].lower()}{message[1:]}{' as a key' if key else ''}") from None


class _Dumper(yaml.SafeDumper):
    """Quotes text so that it is read back: PyYAML's other styles fold line breaks that are none to us."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Quote doubly, with escapes, what is not printable."""
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


def dump(settings: Settings) -> str:
    """Return settings as YAML that `load` reads back to the same."""
    return yaml.dump(msgspec.to_builtins(settings), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def encode(program: Program | Server) -> str:
    """Return what a process is told as JSON."""
    return msgspec.json.format(msgspec.json.encode(program), indent=2).decode() + "\n"


def decode(text: str | bytes, into: type[T], source: str) -> T:
    """Read JSON back that `encode` wrote.

    Raises:
        SettingsError: it is not JSON, or does not fit.
    """
    try:
        return convert(msgspec.json.decode(text), into, source)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SettingsError(f"{source} is not JSON: {error}") from None
