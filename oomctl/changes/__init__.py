"""What oomctl changes: chosen, written, recorded, undone, persisted."""
