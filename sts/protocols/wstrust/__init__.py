"""WS-Trust 1.3, and February 2005: envelope, security header, request and response."""
