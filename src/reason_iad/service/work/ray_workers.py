"""Workers on a Ray cluster: one process takes parts, and replicas of a Ray Serve application inspect them.

The process has as many slots as the replicas can fill. A slot is a worker as any other: it takes a part, keeps it
for as long as a replica is at it, and records what is found. Ray Serve starts replicas when parts wait, and ends
them when there is nothing to do.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from reason_iad.errors import ConfigError, MissingExtraError, ReasonIADError
from reason_iad.products import Products
from reason_iad.service.background import end_with_parent
from reason_iad.service.database import Database
from reason_iad.service.database.queue import Finding, Job
from reason_iad.service.faults import Unavailable
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.logs import write_log
from reason_iad.service.work.worker import Lost, Means, Worker

if TYPE_CHECKING:
    from reason_iad.service.settings import Settings

log = logging.getLogger(__name__)

SLOTS = 2
"""Parts that each replica has at the same time: one that it inspects, and one that is there when it is done."""
IDLE_S = 60.0
"""Seconds without work after which a replica is ended."""
SLOW_S = 0.25
"""Seconds between questions of a slot that has nothing to do; there are many of them."""
PULSE_S = 1.0
"""Seconds between signs of life while a replica inspects a part."""
AGAIN_S = 10.0
"""Seconds before a cluster is tried again that cannot be joined."""


def require_ray(address: str) -> None:
    """Find out before anything starts what would keep parts from a cluster.

    Raises:
        ConfigError: it is no address of a cluster.
        MissingExtraError: Ray Serve is not installed.
    """
    from reason_iad.ray_session import check_address

    check_address(address)
    if any(find_spec(name) is None for name in ("ray", "grpc", "grpc_reflection")):
        raise MissingExtraError("Running workers on Ray", "ray")


def dispatch(settings: Settings, name: str, alive: Any, ready: Any, done: Any) -> None:
    """Hand parts to a Ray cluster until told to stop; run in a process of its own, as `worker.work`."""
    write_log()
    stop = threading.Event()

    def listen() -> None:
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    listen()
    threading.Thread(target=end_with_parent, daemon=True).start()

    def goes_on() -> None:
        alive.value = time.monotonic()

    counting = threading.Lock()

    def finished() -> None:
        with counting:
            done.value += 1

    goes_on()
    try:
        with _application(settings, name.partition("-")[0]) as handle:
            listen()  # Ray has its own answer to signals, which ends the process at once
            database = Database(settings.database_url)
            cluster = Cluster(settings, handle, goes_on)
            means = Means(cluster.inspect, cluster.takers, together=1, slow_s=SLOW_S)
            workers = [
                Worker(settings, f"{name}{slot}", database, means, stop, goes_on, finished)
                for slot in range(SLOTS * settings.workers)
            ]
            threads = [threading.Thread(target=each.run, name=f"slot {slot}") for slot, each in enumerate(workers)]
            ready.value = 1
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            database.close()
    except (ConfigError, MissingExtraError) as error:  # the supervisor starts another process
        log.warning("%s", error)
        stop.wait(AGAIN_S)


class Cluster:
    """The replicas of one server.

    Args:
        settings: of the service.
        handle: of the application.
        goes_on: called while a replica is at a part.
    """

    def __init__(self, settings: Settings, handle: Any, goes_on: Callable[[], None]) -> None:
        self._products, self._pictures = Products(settings.products), PictureStore(settings.pictures)
        self._handle, self._goes_on = handle, goes_on
        self._rules = settings.configuration.sinks_for
        self._lock = threading.Lock()
        self._archives: dict[str, tuple[str, Any]] = {}

    def takers(self) -> Callable[[str, str], tuple[str, ...]]:
        """Where outcomes go."""
        return self._rules

    def inspect(self, job: Job) -> Finding | str:
        """Let a replica inspect a part.

        Raises:
            Lost: the replica ended.
            Unavailable: the cluster takes no parts at the moment.
        """
        import ray.exceptions

        from reason_iad.service.work.ray_replica import found_of

        try:
            state, archive = self._archive(job.product)
            names = [name for name in (job.picture, job.template) if name is not None]
            pictures = [self._pictures.path(name).read_bytes() for name in names]
        except OSError:
            return "The picture is not kept any more."
        except ReasonIADError as error:
            return str(error)
        try:
            response = self._handle.inspect.remote(json.dumps(asdict(job)), pictures, state, [archive])
            while True:
                self._goes_on()
                try:
                    return found_of(response.result(timeout_s=PULSE_S))
                except TimeoutError:
                    continue
        except (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError) as error:
            raise Lost(f"A replica on Ray ended while it inspected a part ({type(error).__name__}).") from None
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, Unavailable):
                raise Unavailable(str(error.cause)) from None
            log.exception("inspection %s failed", job.id)
            return f"The program has a bug ({type(error.cause).__name__}). The log of the server says more."
        except Exception as error:  # Ray raises anything here
            log.debug("a call of Ray failed", exc_info=True)
            raise Unavailable(f"Ray takes no parts at the moment ({type(error).__name__}).") from None

    def _archive(self, name: str) -> tuple[str, Any]:
        """The state of a product, and a reference to it as an archive; put into Ray once for each state."""
        import ray

        from reason_iad.products.exchange import export

        product = self._products.open(name)
        with self._lock:
            known = self._archives.get(name)
            if known is None or known[0] != product.state_sha256:
                with TemporaryDirectory(prefix="reason-iad-") as folder:
                    export(product, Path(folder) / "product.zip")
                    content = (Path(folder) / "product.zip").read_bytes()
                known = self._archives[name] = (product.state_sha256, ray.put(content))
            return known


@contextmanager
def _application(settings: Settings, server: str) -> Iterator[Any]:
    """The application on the cluster while the block runs; its handle.

    Raises:
        ConfigError: the cluster cannot be joined.
        MissingExtraError: Ray Serve is not installed.
    """
    from reason_iad.ray_session import session

    with session(settings.ray):
        try:
            from ray import serve
        except ImportError:
            raise MissingExtraError("Running workers on Ray", "ray") from None
        from reason_iad.service.work.ray_replica import Replica

        name = f"reason-iad-{server}"
        deployment = serve.deployment(
            name="Replica",
            ray_actor_options={"num_cpus": 0 if settings.gpus else 1, "num_gpus": settings.gpus},
            max_ongoing_requests=SLOTS,
            autoscaling_config={
                "min_replicas": 1, "max_replicas": settings.workers, "target_ongoing_requests": SLOTS,
                "upscale_delay_s": 2.0, "downscale_delay_s": IDLE_S,
            },
        )(Replica)  # fmt: skip
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        serve.start(proxy_location="Disabled", logging_config={"log_level": "ERROR"})
        bound = deployment.bind(settings.model, settings.limits.lease_s, settings.gpus)
        try:
            handle: Any = serve.run(bound, name=name, route_prefix=None, logging_config={"log_level": "ERROR"})
            try:
                yield handle
            finally:
                handle.shutdown()  # its thread reports to the controller, and goes on when Ray is gone
        finally:
            serve.delete(name)
            logging.getLogger("ray.serve").setLevel(logging.CRITICAL)  # of threads that still ask it something
