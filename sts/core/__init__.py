"""Layer 0: the rules. Standard library only, no I/O, `now` is always an argument."""
