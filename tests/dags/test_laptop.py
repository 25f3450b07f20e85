"""Airflow on one computer: its secrets, its addresses, and how it ends."""

import json
import os
import socket
import stat
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import laptop
import pytest


def test_a_secret_is_made_once_for_its_owner_only(tmp_path):
    first = laptop.secret(tmp_path, "jwt")
    assert laptop.secret(tmp_path, "jwt") == first and len(first) >= 40
    assert stat.S_IMODE((tmp_path / "jwt.secret").stat().st_mode) == 0o600
    assert laptop.secret(tmp_path, "api") != first


def test_a_secret_cut_short_by_a_kill_is_never_read(tmp_path, monkeypatch):
    monkeypatch.setattr(laptop.Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        laptop.secret(tmp_path, "jwt")
    assert not (tmp_path / "jwt.secret").exists()


def test_the_password_is_made_once_where_airflow_reads_it_and_for_its_owner_only(tmp_path):
    env = laptop.environment(8080, tmp_path, {})
    first = laptop.password(tmp_path)
    assert laptop.password(tmp_path) == first and len(first) >= 12
    file = Path(env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(file.read_text()) == {"admin": first}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in env


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"admin": '])
def test_a_damaged_password_file_is_explained(content, tmp_path):
    (tmp_path / "passwords.json").write_bytes(content)
    with pytest.raises(laptop.LaptopError, match="is damaged\n  to fix: remove it"):
        laptop.password(tmp_path)


def test_an_airflow_folder_that_others_could_read_is_closed(tmp_path):
    tmp_path.chmod(0o755)
    laptop.environment(8080, tmp_path, {})
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.fixture(scope="module")
def server(airflow_db):
    """Airflow's API server in this process, told what `make up` tells it."""
    from airflow.api_fastapi.app import create_app
    from starlette.testclient import TestClient

    return TestClient(create_app(), base_url="http://127.0.0.1:8080", follow_redirects=False)


PAGES = ["/", "/auth/token", "/auth/login", "/api/v2/version", "/execution/health"]


@pytest.mark.airflow
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost@evil", ""])
def test_a_name_that_is_not_this_computers_own_gets_no_answer(server, page, host):
    assert server.get(page, headers={"Host": host}).status_code == 400
    assert server.post(page, headers={"Host": host}).status_code == 400


@pytest.mark.airflow
@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080"])
def test_under_its_own_names_it_answers(server, host):
    assert server.get("/api/v2/version", headers={"Host": host}).status_code == 200
    assert server.get("/auth/login", headers={"Host": host}).status_code == 200


@pytest.mark.airflow
def test_nobody_is_admin_without_the_password(server):
    own = {"username": "admin", "password": laptop.password(Path(os.environ["AIRFLOW_HOME"]))}
    assert server.get("/auth/token").status_code == 403
    assert server.post("/auth/token", json=own | {"password": "admin"}).status_code == 401
    assert server.get("/api/v2/dags").status_code == 401
    assert server.post("/auth/token", json=own).status_code == 201


@pytest.mark.airflow
def test_another_sites_page_may_not_read_an_answer(server):
    answer = server.get("/api/v2/version", headers={"Origin": "http://evil.example"})
    assert [name for name in answer.headers if name.startswith("access-control")] == []


def test_an_airflow_that_answers_under_any_name_is_not_used():
    class Anybody(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Anybody) as careless:
        Thread(target=careless.serve_forever, daemon=True).start()
        with pytest.raises(laptop.LaptopError, match="other names"):
            laptop._require_own_name(laptop.Api(careless.server_port, ""))
        careless.shutdown()


def test_airflow_stays_on_this_machine_and_reports_to_nobody(tmp_path):
    env = laptop.environment(8080, tmp_path / "airflow", {})
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert "http://127.0.0.1:8080" in env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    assert env["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False" and env["GX_ANALYTICS_ENABLED"] == "false"
    assert stat.S_IMODE((tmp_path / "airflow").stat().st_mode) == 0o700


def test_settings_of_another_airflow_are_dropped_and_ours_are_kept(tmp_path):
    theirs = {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "AIRFLOW_CONFIG": "/etc/airflow.cfg"}
    env = laptop.environment(8080, tmp_path, {**theirs, "RISK_HOME": "/srv/risk", "RISK_DOMAIN": "shop"})
    assert env["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor" and "AIRFLOW_CONFIG" not in env
    assert (env["RISK_HOME"], env["RISK_DOMAIN"]) == ("/srv/risk", "shop")


def test_a_taken_port_is_a_clear_error():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(laptop.LaptopError, match="is taken"):
            laptop.require_free(other.getsockname()[1])


def test_two_airflows_never_share_a_home(tmp_path):
    import fcntl

    with (tmp_path / "running.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(laptop.LaptopError, match="already running"), laptop.running(9, {}, tmp_path):
            pass


@pytest.mark.slow
def test_a_service_that_ends_by_itself_is_reported_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(laptop, "SERVICES", {"nonsense": ()})
    with pytest.raises(laptop.LaptopError, match="nonsense ended by itself"), laptop.running(9, os.environ, tmp_path):
        pass


def test_stopping_leaves_nothing_behind_however_stubborn(monkeypatch):
    monkeypatch.setattr(laptop, "STOP_SECONDS", 0.5)
    deaf = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    child = deaf + "time.sleep(60)"
    parent = deaf + f"subprocess.Popen([sys.executable, '-c', {child!r}]); print('up', flush=True); time.sleep(60)"
    service = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True, stdout=subprocess.PIPE)
    assert service.stdout.readline() == b"up\n"
    assert len(laptop._session_members({service.pid})) == 2
    laptop._stop({"stubborn": service})
    deadline = time.monotonic() + 5
    while laptop._session_members({service.pid}) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert laptop._session_members({service.pid}) == []
