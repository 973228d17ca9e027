"""A Ray to compute on: one of our own on this machine, or a cluster that is there.

Of our own it is closed to everybody else. Ray by default listens on every interface and runs whatever it is sent,
so three doors are shut: its servers are bound to the loopback address, each call needs a token made for the
session, and its Unix sockets, which ask for none, lie in a folder that only this user can enter. Ray offers no
public option for the first: it resolves '127.0.0.1' to the machine's outer address (`resolve_ip_for_localhost` in
its `_private/services.py`) unless it was told, before it is imported, that it will never be a cluster.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reason_iad.errors import ConfigError, MissingExtraError
from reason_iad.images import printable

log = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 100 * 2**20
"""Shared memory of our own Ray: units and answers are a few kB each. Ray refuses less than 75 MB."""

CONNECT_SECONDS = 10
"""How long a cluster may take to accept a connection, and then to answer; each is tried twice at most."""

FIRST_WITH_TOKENS = "2.52"
"""The first version of Ray with token authentication."""

_LOOPBACK = "127.0.0.1"
_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_BRIEF = {"RAY_NUM_REDIS_GET_RETRIES": "2", "RAY_py_gcs_connect_timeout_s": str(CONNECT_SECONDS)}
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # of its C++ parts, which write to our stderr
    "PYTHONBREAKPOINT": "",  # or Ray sets it, and leaves it
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # messages of the cluster, which it would print to our stdout
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a worker that reserves no GPU sees none
    "RAY_ENABLE_AUTO_CONNECT": "0",  # or a thread that asks Ray something after the end starts another one
}
_GREETING = b"Set ray log level from environment variable"
_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@contextmanager
def session(address: str | None) -> Iterator[None]:
    """Have Ray connected, and leave it as it was.

    A connection that this process already has is used as it is. Else a Ray is started on this machine, with as many
    CPUs and GPUs as it has, and stopped at the end, however it ends; or a cluster is joined, and left at the end.

    Args:
        address: of a cluster: 'HOST:PORT', or 'auto' for the one that runs on this machine; its token is taken from
            the environment (`RAY_AUTH_MODE=token`, and `RAY_AUTH_TOKEN` or `RAY_AUTH_TOKEN_PATH`). None: start one.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: nothing answers at the address, or it refuses the token.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError("Running on Ray", "ray")
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        yield
        return
    with _environment(_QUIET, replace=False), _own() if address is None else _joined(address):
        yield


@contextmanager
def _own() -> Iterator[None]:
    """Start a Ray that only this process can reach; stop it and remove its files at the end."""
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp" if os.name == "posix" else None)  # noqa: S108 (socket paths are short)
    try:
        with _environment({**_ALONE, **_authentication()}):
            ray = _import_ray()
            check_version(ray.__version__)
            try:
                with _without_greeting(), warnings.catch_warnings():
                    warnings.simplefilter(
                        "ignore", RuntimeWarning
                    )  # LanceDB warns of forks; these only execute Ray
                    ray.init(
                        address="local",
                        include_dashboard=False,
                        object_store_memory=OBJECT_STORE_BYTES,
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                        _temp_dir=str(Path(folder, "ray")),  # Ray opens it to everybody, but not what is around it
                    )
                _require_loopback(ray.nodes())
                yield
            finally:
                ray.shutdown()
    finally:
        for _ in range(10):  # what is ending may still write its logs
            shutil.rmtree(folder, ignore_errors=True)
            if not Path(folder).exists():
                break
            time.sleep(0.2)


@contextmanager
def _joined(address: str) -> Iterator[None]:
    """Connect to a cluster; disconnect at the end."""
    _probe(address)
    with _environment(_BRIEF, replace=False):
        ray = _import_ray()
        try:
            with _without_greeting():
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises anything here: ConnectionError, RuntimeError, its own
            log.debug("joining Ray at '%s'", address, exc_info=True)
            ray.shutdown()
            raise ConfigError(_refusal(address, error)) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Hold back what is written to our stderr, and leave out the line in which Ray's C++ part says how it logs."""
    sys.stderr.flush()
    ours = os.dup(2)
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(ours, 2)
                held.seek(0)
                for line in held:
                    if _GREETING not in line:
                        os.write(2, line)
    finally:
        os.close(ours)


def _authentication() -> dict[str, str]:
    """What to add to the environment so that our own Ray asks for a token; the user's choice goes first."""
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        log.warning("Ray runs without authentication, as RAY_AUTH_MODE says.")
        return {}
    token = {} if any(os.environ.get(name) for name in _TOKENS) else {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {"RAY_AUTH_MODE": "token", **token}


def _import_ray() -> Any:
    """Import Ray so that it minds the environment as it is now, even if it was imported under another one."""
    early = "ray" in sys.modules
    import ray

    if early:
        with suppress(ImportError, AttributeError):
            from ray import _raylet
            from ray._private import ray_constants

            core: Any = _raylet

            alone = _ALONE.items() <= os.environ.items()
            ray_constants.ENABLE_RAY_CLUSTER = not (alone or ray_constants.IS_WINDOWS_OR_OSX)
            core.Config.initialize("")  # first: a token is looked for in the mode that this reads
            core.AuthenticationTokenLoader.instance().reset_cache()
    return ray


def check_version(version: str) -> None:
    """Refuse a Ray that would not ask for a token.

    Raises:
        ConfigError: it is too old.
    """
    from packaging.version import Version

    if Version(version) < Version(FIRST_WITH_TOKENS):
        raise ConfigError(f"Ray {version} lets in everybody; run: pip install 'ray[data]>={FIRST_WITH_TOKENS}'.")


def _require_loopback(nodes: list[Mapping[str, object]]) -> None:
    """Refuse to run on a Ray that others may reach.

    Raises:
        ConfigError: this version of Ray does not bind to the loopback address when it is told so.
    """
    addresses = {str(node["NodeManagerAddress"]) for node in nodes}
    if addresses != {_LOOPBACK}:
        raise ConfigError(
            f"Ray listens on {', '.join(sorted(addresses))} instead of {_LOOPBACK}; use another version of Ray, "
            "or start a cluster yourself and give its address."
        )


def check_address(address: str) -> tuple[str, int] | None:
    """Host and port of an address as `session` takes it; None for 'auto'.

    Raises:
        ConfigError: it is not such an address.
    """
    if address == "auto":
        return None
    found = re.fullmatch(r"(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})", address)
    if not found:
        raise ConfigError(f"'{printable(address)}' is not the address of a Ray cluster; give HOST:PORT, or 'auto'.")
    return found["host"].strip("[]"), int(found["port"])


def _probe(address: str) -> None:
    """Make sure that something listens, as Ray itself takes long to give up.

    Raises:
        ConfigError: nothing does, or it is not an address.
    """
    target = check_address(address)
    if target is None:
        return
    try:
        with socket.create_connection(target, timeout=CONNECT_SECONDS):
            pass
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"No Ray cluster answers at '{address}' ({error}); check the address, or start it: ray start --head."
        ) from error


def _refusal(address: str, error: BaseException) -> str:
    """Why a cluster could not be joined, in a sentence."""
    chain: BaseException | None = error
    while chain is not None:
        if "authenticat" in f"{type(chain).__name__} {chain}".lower():
            return (
                f"The Ray cluster at '{address}' refuses the token; set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
                "RAY_AUTH_TOKEN_PATH to the token of the cluster."
            )
        chain = chain.__cause__ or chain.__context__
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"The Ray cluster at '{address}' cannot be joined: {reason.rstrip('.')}; see docs/ray.md."


@contextmanager
def _environment(values: Mapping[str, str], *, replace: bool = True) -> Iterator[None]:
    """Set environment variables for a while (or only those that are not set); children inherit them."""
    before = {name: os.environ.get(name) for name in values if replace or name not in os.environ}
    os.environ.update({name: values[name] for name in before})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
