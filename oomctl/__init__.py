"""oomctl shows, predicts and sets whom the Linux OOM killer takes."""

__version__ = "0.1.0"
