"""Scores to a number to minimise."""
