"""Airflow on one computer: its secrets, its addresses, and how it ends."""

import os
import socket
import stat
import subprocess
import sys
import time

import laptop
import pytest


def test_a_secret_is_made_once_for_its_owner_only(tmp_path):
    first = laptop.secret(tmp_path, "jwt")
    assert laptop.secret(tmp_path, "jwt") == first and len(first) >= 40
    assert stat.S_IMODE((tmp_path / "jwt.secret").stat().st_mode) == 0o600
    assert laptop.secret(tmp_path, "api") != first


def test_airflow_is_told_to_stay_on_this_machine_and_to_tell_nobody(tmp_path):
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


def test_a_service_that_ends_by_itself_is_reported_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(laptop, "SERVICES", {"nonsense": ()})
    with pytest.raises(laptop.LaptopError, match="nonsense ended by itself"), laptop.running(9, os.environ, tmp_path):
        pass


def test_stopping_leaves_nothing_behind_however_stubborn(monkeypatch):
    monkeypatch.setattr(laptop, "GRACE", 0.5)
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
