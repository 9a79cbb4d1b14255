"""Layer 2: one protocol per file: parse, render, refuse."""
