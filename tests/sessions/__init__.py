"""Sessions of WS-Trust clients, honest and broken ones mixed: what becomes of thousands of them (`make sessions`)."""
