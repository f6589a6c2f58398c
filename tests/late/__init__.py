"""What is learnt late: edits, deletions and runs that come after their time, on a real server."""
