"""Saying it to a person: tables, JSON, plots. Nothing here decides."""
