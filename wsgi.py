"""`application` for any WSGI server: `gunicorn wsgi`, `granian --interface wsgi wsgi:application`, `sts serve`."""

from sts.web.wsgi import application

__all__ = ["application"]
