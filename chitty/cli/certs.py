"""Certificates of a development authority: certs."""

from pathlib import Path

import click

from chitty.cli.base import DONE, FOLDER, Session, example, with_session
from chitty.cli.values import Name

_SETTINGS = """for `chitty up --config FILE`, with mutual TLS:

server:
  tls: {{cert: {0}/server.crt, key: {0}/server.key, client_ca: {0}/ca.crt}}
clients:
  tls: {{certs: {0}}}
"""


@click.command(
    short_help="Make certificates for the server and participants.",
    epilog=example("chitty certs certs bob carol dave", "chitty certs certs alice --host chat.example"),
)
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.argument("who", metavar="[NAME...]", nargs=-1, type=Name())
@click.option("--host", "hosts", metavar="HOST", multiple=True, help="A name or address of the server; repeatable.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="Of validity.")
@click.option("--force", is_flag=True, help="Make anew what is there already; never the authority.")
@with_session
def certs(
    session: Session, *, directory: Path, who: tuple[str, ...], hosts: tuple[str, ...], days: int, force: bool
) -> int:
    """Make an authority for development in DIR, and certificates for the server and for each NAME.

    The server's is for localhost, 127.0.0.1, ::1 and each --host. The authority is kept, so that participants can be
    added later; certificates that exist are made anew with --force only. Private keys are readable by you only.

    Needs cryptography, which `bin/chitty` sets up; elsewhere it comes with the extra `tls`.
    """
    from chitty import certs as making

    made = making.make(directory, who, hosts=hosts, days=days, force=force)
    for path in made.made:
        click.echo(path)
    for path in made.kept:
        session.notice(f"kept: {path}")
    if not made.kept:
        session.notice(_SETTINGS.format(directory.absolute()))
    return DONE
