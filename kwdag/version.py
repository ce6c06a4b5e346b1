"""The version of kwdag, in one place."""

__version__ = "0.1.0"
