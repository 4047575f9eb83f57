"""What is wrong or dangerous on this machine before anybody is killed: one look, many small checks of it."""
