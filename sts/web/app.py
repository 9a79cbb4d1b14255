"""The WSGI application: the edge before the pages, and the thread that follows the database."""

import gc
import os
from collections.abc import Iterable

from sts.assemble import Service, assemble
from sts.settings import Settings
from sts.store.directory import Poller
from sts.web.arrival import Environ, Reception
from sts.web.edge import Books, Edge, StartResponse
from sts.web.metadata_thread import MetadataMetrics, MetadataThread
from sts.web.metrics import Metrics
from sts.web.pages import create_pages
from sts.web.purge_thread import PurgeThread
from sts.web.request_log import RequestLog, record_events
from sts.web.rollover_thread import RolloverMetrics, RolloverThread
from sts.web.rotation_thread import RotationMetrics, RotationThread


class Application:
    """What a WSGI server calls."""

    def __init__(self, service: Service, log: RequestLog) -> None:
        self.service = service
        self.metrics = metrics = Metrics()
        reception = Reception(service.settings, service.directory.namespace_of_host)
        pages = create_pages(service, metrics)
        self._edge = Edge(reception, service, pages, Books(log, metrics))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        return self._edge(environ, start_response)


def create_app(settings: Settings | None = None) -> Application:
    """The application of the environment's settings, following the database from now on.

    Raises InvalidConfiguration and MasterKeyError.
    """
    settings = settings or Settings.from_environ(os.environ)
    log = RequestLog(settings.log_format)
    record_events(log)
    service = assemble(settings)
    Poller(service.installation.database).start()
    application = Application(service, log)
    registry = application.metrics.registry
    RolloverThread(service.installation, service.clock, RolloverMetrics(registry)).start()
    RotationThread(service.installation, service.clock, RotationMetrics(registry)).start()
    MetadataThread(service.installation, service.clock, MetadataMetrics(registry)).start()
    PurgeThread(service.installation.database, service.clock).start()
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not look at it again and again
    return application
