"""Genome directories: built from whatever the user has, checked, and put end to end."""
