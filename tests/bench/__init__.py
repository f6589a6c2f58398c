"""Benchmarks: ratios to the physical limit, or to what a user would do instead, measured in one run."""
