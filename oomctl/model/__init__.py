"""Values without behaviour, shared by every room."""
