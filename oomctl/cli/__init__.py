"""The command line: the group, parameter types and options."""
