"""The user's words to processes, and who of them may be touched."""
