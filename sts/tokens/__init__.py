"""Layer 2: one token format per file: write(descriptor, signer) and read(token, trusted, now)."""
