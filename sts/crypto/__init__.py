"""Layer 1: bytes and elements in, bytes and elements out."""
