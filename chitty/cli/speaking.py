"""What a participant says, and what it hears: say, attach, chat."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chitty.cli.base import DONE, FOLDER, Session, example, fail, with_session
from chitty.cli.values import Address, Name

if TYPE_CHECKING:
    from collections.abc import Callable

    from chitty.settings import Trust
    from chitty.stack.control import Stack

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    short_help="Speak as a running participant.",
    context_settings={"ignore_unknown_options": True},
    epilog=example('chitty say bob "good morning"'),
)
@click.argument("name", type=Name(running=True))
@click.argument("text")
@with_session
def say(session: Session, name: str, text: str) -> int:
    """Speak as a running participant, verbatim; return with the receipt or the refusal.

    Exit code 6 means that neither came in time: the message may or may not have been published, now or later. Look for
    it with `chitty logs` before you say it again.
    """
    from chitty.stack import say as speaking

    said = speaking.say(session.stack(), name, text)
    if said.refusal:
        return fail(f"refused: {said.refusal}")
    click.echo(f"said at Lamport time {said.lamport}, sequence {said.sequence}")
    return DONE


@click.command(
    short_help="Sit down at a running participant.",
    epilog=example("chitty attach alice", "printf 'hello\\nbye\\n' | chitty attach alice"),
)
@click.argument("name", type=Name(running=True))
@with_session
def attach(session: Session, name: str) -> int:
    """Sit down at a running participant: its history first; Ctrl-] lets go."""
    from chitty.stack import say as speaking
    from chitty.stack.attach import Attached
    from chitty.stack.show import View

    stack = session.stack()
    member = speaking.able(stack, name)
    if sys.stdin.isatty():
        session.notice(f"attached to {member.name}: what you type is said; Ctrl-] lets go")
    Attached(stack, member, View(session.colours(sys.stdout)), sys.stdout).run()
    return DONE


@click.command(
    epilog=example(
        "chitty chat zoe",
        "chitty chat zoe --server 127.0.0.1:5051 --log /tmp/zoe.log",
        "chitty chat zoe --server chat.example:5051 --certs certs",
    )
)
@click.argument("name", type=Name())
@click.option(
    "--server", metavar="HOST:PORT", type=Address(), help="Where to join; otherwise the running stack's server."
)
@click.option("--log", type=_FILE, help="Its log; otherwise among the stack's, or with --server NAME.log here.")
@click.option("--tls", is_flag=True, help="Call by TLS; any of the next four says so too.")
@click.option("--ca", metavar="FILE", type=_FILE, help="Authority of the service, as PEM; otherwise the system's.")
@click.option("--cert", metavar="FILE", type=_FILE, help="Own certificate, as PEM, for mutual TLS.")
@click.option("--key", metavar="FILE", type=_FILE, help="Its private key, as PEM.")
@click.option("--certs", metavar="DIR", type=FOLDER, help="All three, in a directory made by `chitty certs`.")
@click.option(
    "--server-name", metavar="HOST", default="", help="What the service's certificate is for, if not --server."
)
@click.option("--secret-file", metavar="FILE", type=_FILE, help="The service's secret; otherwise CHITTY_SECRET.")
@click.option("--insecure", is_flag=True, help="Let the secret travel without TLS.")
@with_session
def chat(session: Session, /, *, name: str, server: str | None, log: Path | None, server_name: str, **said: Any) -> int:
    """Join from this terminal, without supervision.

    On the running stack it trusts and shows what the stack's settings say, and logs into the stack's logs, so that
    `logs`, `check` and `diagram` see it; options say otherwise.
    """
    from dataclasses import replace

    from chitty.stack import report, visiting

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its words would stand between the lines of the chat
    stack = session.stack() if server is None else None
    address: str | Callable[[], str | None] = str(server)
    if stack is not None:
        report.address(stack.members())
        address = stack.layout.located  # which a restarted server changes
    trust = _trust(stack, name, said)
    from chitty.client import chat as talking
    from chitty.client import credentials

    shown = replace(credentials.of(trust), server_name=server_name)
    if stack is None or log is not None:
        return talking.run(name, address, log or Path(f"{name}.log"), shown)
    with visiting.own_log(stack, name) as own:
        return talking.run(name, address, own, shown)


def _trust(stack: "Stack | None", name: str, said: dict[str, Any]) -> "Trust":
    """Return what the options say, over what the settings of a stack do."""
    import msgspec

    from chitty.certs import Folder
    from chitty.settings import Trust
    from chitty.stack import membership, plan
    from chitty.stack import trust as asked

    changed: dict[str, Any] = {"tls": True} if said["tls"] else {}
    if said["certs"]:
        folder = Folder(said["certs"])
        own = folder.client(name)
        changed |= {"tls": True, "ca": str(folder.authority.cert)}
        if own.exist():
            changed |= {"cert": str(own.cert), "key": str(own.key)}
    for option in ("ca", "cert", "key", "secret_file"):
        if said[option]:
            changed[option] = str(said[option])
    if said["insecure"]:
        changed["insecure"] = True
    if stack is None:
        return Trust(**changed)
    settings = membership.kept(stack)
    if "cert" not in changed:
        asked.check(settings, [name])
    return msgspec.structs.replace(plan.trust(name, settings), **changed)
