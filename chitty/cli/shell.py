"""What the shell is told: completion."""

import click

from chitty.cli.base import DONE, cli, example


@click.command(
    short_help="Print the completion script of a shell.",
    epilog=example(
        'bash: eval "$(chitty completion bash)"',
        'zsh:  eval "$(chitty completion zsh)"',
        "fish: chitty completion fish | source",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the script that lets a shell complete commands, options and names."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "chitty", "_CHITTY_COMPLETE").source())
    return DONE
