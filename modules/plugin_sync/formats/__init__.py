"""File formats: each a streaming reader and writer of tables and rows, by name."""
