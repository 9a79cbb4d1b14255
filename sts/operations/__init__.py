"""Layer 3: what an operator can do, one function per verb, one file per noun."""
