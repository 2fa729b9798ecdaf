"""A recipe for each published setting and small ones for a laptop, found by name."""
