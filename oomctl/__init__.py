"""oomctl shows, predicts and sets which process the Linux OOM killer kills."""

__version__ = "0.1.0"
