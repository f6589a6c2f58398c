"""Pure domain: frozen dataclasses and functions. No I/O, no clock, no third party."""
