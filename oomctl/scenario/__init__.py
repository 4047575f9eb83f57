"""Scenario documents, and what is asked about."""
