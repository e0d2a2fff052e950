"""`python -m chitty`: the command line, where no script of that name is installed."""

from chitty.cli import main

main()
