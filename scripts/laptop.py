"""Airflow on one computer: database, logs and secrets in .airflow/, services on 127.0.0.1 only.

We start the four services ourselves. `airflow standalone` also serves logs on every network interface, and leaves its
services running unless it ends by Ctrl-C.
"""

import ctypes
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
AIRFLOW_HOME = PROJECT / ".airflow"
USER = "admin"
PASSWORDS = "passwords.json"
DAGS = ("daily_risk_list", "retrain_models", "collect_verdicts")
SERVICES = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
HEALTHY_SECONDS = 120  # time for the services to become healthy; 15 to 30 are usual
ATTEMPTS = 10  # to read from the API, each with a timeout of 30 s
LOCK_SECONDS = 20  # one service waits this long for another's write; SQLite's own 5 are too few on a busy machine
STOP_SECONDS = 5  # time for the services to stop by themselves

# In a process of its own: Airflow reads its settings when it is imported.
PREPARE = """
import logging
logging.disable(logging.WARNING)
from airflow.models.pool import Pool
from airflow.utils.db import initdb
initdb()
Pool.create_or_update_pool("warehouse", 1, "One slot: DuckDB takes one writer.", include_deferred=False)
"""


class LaptopError(Exception):
    """An error that a person can fix. It is shown without a traceback."""


def secret(home: Path, name: str) -> str:
    """A random secret, made once. Only its owner may read it."""
    return _made_once(home / f"{name}.secret", urlsafe_b64encode(secrets.token_bytes(32)).decode())


def password(home: Path = AIRFLOW_HOME) -> str:
    """The password of `USER`, in the file from which Airflow reads it."""
    path = home / PASSWORDS
    try:
        return str(json.loads(_made_once(path, json.dumps({USER: secrets.token_urlsafe(12)})))[USER])
    except (ValueError, LookupError, TypeError, RecursionError):
        problem = f"{path} is damaged\n  to fix: remove it, and the next start makes a new password"
        raise LaptopError(problem) from None


def _made_once(path: Path, content: str) -> str:
    """The file's content. Without a file, write `content`: whole or not at all, and for its owner only."""
    if not path.exists():
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
        with suppress(FileExistsError):  # another process was faster: its file counts
            path.hardlink_to(aside)
        aside.unlink()
    return path.read_text()


def environment(port: int, home: Path = AIRFLOW_HOME, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of every Airflow process here, without settings of another Airflow on this machine."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)  # its database and logs are for their owner only, whoever made the folder
    url = f"http://127.0.0.1:{port}"
    inherited = {name: value for name, value in environ.items() if not name.startswith("AIRFLOW")}
    return {
        "RISK_HOME": str(PROJECT / "data" / "{domain}"),
        **inherited,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", "")]),
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__FERNET_KEY": secret(home, "fernet"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "scripts" / "plugins"),  # refuses other hosts' names
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / PASSWORDS),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secret(home, "api"),
        "AIRFLOW__API__INSTANCE_NAME": "Dawnlist",
        "AIRFLOW__API_AUTH__JWT_SECRET": secret(home, "jwt"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout={LOCK_SECONDS}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "GX_ANALYTICS_ENABLED": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise LaptopError(f"port {port} is taken\n  to fix: stop what uses it, or `make up PORT=8081`") from None


def prepare(env: Mapping[str, str]) -> None:
    """Create or migrate Airflow's database, and its one-slot pool."""
    done = subprocess.run([sys.executable, "-c", PREPARE], env=dict(env), capture_output=True, text=True)
    if done.returncode:
        raise LaptopError(f"Airflow's database could not be prepared:\n{done.stderr[-2000:]}")


def _end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies, however it dies (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _session_members(leaders: set[int]) -> list[int]:
    """Living processes of these sessions. A service's children stay in its session."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) in leaders and state != "Z":
                members.append(int(stat.parent.name))
    return members


class Api:
    """The few calls of Airflow's REST API that we need."""

    def __init__(self, port: int, password: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.password = password
        self.token = ""

    def __call__(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """The JSON answer. A read is tried again if a busy machine does not answer in time.

        Raises urllib's HTTPError or URLError, or TimeoutError.
        """
        if not self.token and path.startswith("/api/v2/") and path != "/api/v2/monitor/health":
            self.token = self("/auth/token", {"username": USER, "password": self.password})["access_token"]
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        for attempts_left in reversed(range(ATTEMPTS if data is None and method is None else 1)):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.load(answer)
            except TimeoutError:
                if not attempts_left:
                    raise

    def trigger(self, dag_id: str, conf: dict[str, Any], partition_key: str | None = None) -> str:
        """Start a run and return its id."""
        self(f"/api/v2/dags/{dag_id}", {"is_paused": False}, "PATCH")
        body = {"logical_date": None, "conf": conf, "partition_key": partition_key}
        return str(self(f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return self(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")  # type: ignore[no-any-return]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return self(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]  # type: ignore[no-any-return]

    def receipt(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned, as the UI shows it under XCom."""
        return self(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value")["value"]

    def watch(self, dag_id: str, run_id: str, on_change: Callable[[dict[str, Any]], None]) -> str:
        """Wait for a run to end. Calls `on_change` with each task that changes; returns 'success' or 'failed'."""
        seen: dict[str, str | None] = {}
        while True:
            state = self.run(dag_id, run_id)["state"]
            for task in sorted(self.tasks(dag_id, run_id), key=lambda task: task["start_date"] or "~"):
                if seen.get(task["task_id"]) != task["state"]:
                    seen[task["task_id"]] = task["state"]
                    on_change(task)
            if state in ("success", "failed"):
                return str(state)
            time.sleep(0.5)

    def error(self, dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        """The error message of a failed task."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        lines = self(path)["content"]
        values = [detail["exc_value"] for line in lines for detail in line.get("error_detail") or []]
        return values[0] if values else "see its log"


@contextmanager
def running(port: int, env: Mapping[str, str], home: Path = AIRFLOW_HOME) -> Iterator[Api]:
    """Run Airflow's services, healthy and with our DAGs loaded. All their processes end afterwards."""
    with (home / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LaptopError(f"an Airflow is already running in {home}\n  to fix: stop it first") from None
        logs = home / "logs" / "services"
        logs.mkdir(parents=True, exist_ok=True)
        services: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name, options in SERVICES.items():
                with (logs / f"{name}.log").open("wb") as log:
                    services[name] = subprocess.Popen(
                        [sys.executable, "-m", "airflow", name, *options],
                        env=dict(env),
                        cwd=home,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                        preexec_fn=_end_with_parent,
                    )
            api = Api(port, password(home))
            _wait_until_healthy(api, services, logs)
            _require_own_name(api)
            yield api
        finally:
            _stop(services)


def _wait_until_healthy(api: Api, services: Mapping[str, "subprocess.Popen[bytes]"], logs: Path) -> None:
    for _ in range(HEALTHY_SECONDS * 2):
        for name, service in services.items():
            if service.poll() is not None:
                tail = (logs / f"{name}.log").read_text(errors="replace")[-2000:]
                raise LaptopError(f"Airflow's {name} ended by itself:\n{tail}")
        with suppress(urllib.error.URLError, OSError, KeyError):
            health = api("/api/v2/monitor/health")
            ready = all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor", "triggerer"))
            if ready and all(api(f"/api/v2/dags/{dag_id}") for dag_id in DAGS):
                return
        time.sleep(0.5)
    raise LaptopError(f"Airflow is not healthy after {HEALTHY_SECONDS} s\n  to fix: see {logs}")


def _require_own_name(api: Api) -> None:
    """A web page may give its own name this computer's address. Airflow goes on without a plugin it cannot load."""
    request = urllib.request.Request(f"{api.url}/api/v2/version", headers={"Host": "elsewhere.invalid"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.BAD_REQUEST:
            return
    raise LaptopError("Airflow answers under other names than 127.0.0.1\n  to fix: correct scripts/plugins/own_name.py")


def _stop(services: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    """Ask each service to stop, then kill what is left. A step that is cut short can run again."""
    leaders = {service.pid for service in services.values()}
    for service in services.values():
        service.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and _session_members(leaders):
        for service in services.values():
            service.poll()
        time.sleep(0.1)
    for pid in _session_members(leaders):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for service in services.values():
        service.wait()
