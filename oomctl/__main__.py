"""``python -m oomctl``."""

from oomctl.cli import main

if __name__ == "__main__":
    main()
