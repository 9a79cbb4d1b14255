"""The entry point for WSGI servers."""

from sts.web.app import create_app

application = create_app()
