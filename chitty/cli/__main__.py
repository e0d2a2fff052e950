"""`python -m chitty.cli`: as `python -m chitty`."""

from chitty.cli import main

main()
