"""`python -m pegel` is `pegel`."""

from pegel.cli import main

main()
