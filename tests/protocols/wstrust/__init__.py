"""The body of WS-Trust messages, and what is around it."""
