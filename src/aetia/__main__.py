"""``python -m aetia`` is the command line."""

from aetia.cli.main import main

main()
