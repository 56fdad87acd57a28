"""`python -m bots` and the `rejoinder` script."""

from bots.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
