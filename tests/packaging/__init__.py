"""What is built to be installed or copied elsewhere."""
