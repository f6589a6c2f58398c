"""Tracking servers, read only. A source is one file or folder here and one line in the registry."""
