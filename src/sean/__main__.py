"""`python -m sean` is the `sean` command."""

import sys

from sean.cli import main

if __name__ == "__main__":
    sys.exit(main())
