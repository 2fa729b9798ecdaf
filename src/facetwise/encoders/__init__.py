"""Pixels and words to local and global features."""
