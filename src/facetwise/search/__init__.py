"""Index: store, exact scan, steering."""
