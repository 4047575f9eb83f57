"""Completion in the shell: what may stand where, and how bash, zsh and fish ask for it."""
