"""What comes in: collections, own files, transforms, splits, sampling."""
