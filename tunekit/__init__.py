"""Declarative, config-driven experiment management for model tuning."""

__version__ = "0.1.0"
