"""The configuration file: read, judged, compared with what the database holds, carried out step by step."""
