"""``python -m entraide.cli`` is ``entraide``."""

from entraide.cli import main

main()
