"""What others may have put there: files, directories, the environment of other programs."""
