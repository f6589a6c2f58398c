"""Catalogs of instance prices."""
