"""What a slash command or a button means: one grammar and one set of answers for HTTP and Socket Mode alike."""
