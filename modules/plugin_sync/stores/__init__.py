"""Databases: each store stages rows in bulk and merges them set-based in one transaction."""
