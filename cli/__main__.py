"""`python -m cli` is `labctl`."""

from cli.main import main

main()
