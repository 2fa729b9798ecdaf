"""Scores and truth to a figure: pure functions."""
