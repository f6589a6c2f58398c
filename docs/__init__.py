"""Documentation, and what draws its pictures."""
