"""One file for each benchmark protocol, and the report it prints."""
