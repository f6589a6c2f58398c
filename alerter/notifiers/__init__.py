"""Ways to reach people; each takes plain values and knows nothing of the configuration or of the others."""
