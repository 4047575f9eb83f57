"""The rules file: read, check, decide by it, and keep it true while processes come and go."""
