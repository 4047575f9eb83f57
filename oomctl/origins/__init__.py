"""Who probably set a value."""
