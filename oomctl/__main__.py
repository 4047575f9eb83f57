"""``python -m oomctl``."""

from oomctl.cli.main import main

if __name__ == "__main__":
    main()
