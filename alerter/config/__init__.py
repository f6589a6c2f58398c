"""Strict models of the YAML files; every error with file:line:column."""
