"""The team server's compose file: valid, without default passwords, and open to this machine only."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

DOCKER = Path(__file__).resolve().parents[2] / "docker"
SECRETS = ("POSTGRES_PASSWORD", "FERNET_KEY", "JWT_SECRET", "API_SECRET_KEY", "ADMIN_PASSWORD", "RISK_KEY")
REQUIRED = (*SECRETS, "DAWNLIST_DATA")
COMPOSE = shutil.which("docker-compose")

needs_compose = pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed (apt-get install it)")


def config(*arguments, **given):
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | given
    command = [COMPOSE, "-f", str(DOCKER / "compose.yml"), "config", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True)


@pytest.fixture(scope="module")
def services():
    done = config(**{key: f"/{key.lower()}" for key in REQUIRED})
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


@needs_compose
def test_with_all_secrets_given_it_is_valid():
    assert config("-q", **{key: f"/{key.lower()}" for key in REQUIRED}).returncode == 0


@needs_compose
@pytest.mark.parametrize("missing", REQUIRED)
def test_each_missing_secret_is_named_and_nothing_starts(missing):
    done = config("-q", **{key: f"/{key.lower()}" for key in REQUIRED if key != missing})
    assert done.returncode != 0
    assert missing in done.stderr and "docker/README.md" in done.stderr


@needs_compose
def test_only_this_machine_can_reach_it(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 1 and all(str(port).startswith("127.0.0.1:") for port in ports)


@needs_compose
def test_every_lasting_service_has_a_health_check(services):
    assert sorted(services) == ["api-server", "dag-processor", "init", "postgres", "scheduler", "triggerer"]
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["init"]


@needs_compose
def test_the_services_share_one_secret_and_only_the_scheduler_sees_the_data(services):
    airflow = {name: service for name, service in services.items() if name != "postgres"}
    assert {service["environment"]["AIRFLOW__API_AUTH__JWT_SECRET"] for service in airflow.values()} == {"/jwt_secret"}
    assert [name for name, service in airflow.items() if "RISK_KEY" in service["environment"]] == ["scheduler"]
    assert [name for name, service in airflow.items() if any(":/data" in volume for volume in service["volumes"])] == [
        "scheduler"
    ]


def test_no_secret_has_a_default():
    text = (DOCKER / "compose.yml").read_text()
    for key in REQUIRED:
        assert set(re.findall(rf"\$\{{{key}(.)", text)) == {":"} and f"${{{key}:-" not in text


def test_the_readme_explains_every_key():
    used = set(re.findall(r"\$\{([A-Z_]+)", (DOCKER / "compose.yml").read_text()))
    explained = set(re.findall(r"`([A-Z_]+)`", (DOCKER / "README.md").read_text()))
    assert used - explained == set()


def test_the_image_copies_what_exists_and_runs_as_nobody_special():
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    copied = [part for line in lines if line.startswith("COPY") for part in line.split()[1:-1]]
    assert [part for part in copied if not (DOCKER.parent / part).exists()] == []
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert [part for part in copied if f"!{part}" not in ignored] == []
    assert "USER dawnlist" in lines


RECORDER = """#!/bin/sh
echo "$@" >> "$RECORD/arguments"
[ "$1 $2" = "users create" ] && cat > "$RECORD/typed"
exit 0
"""


def test_the_administrators_password_is_in_no_commands_arguments(tmp_path):
    (tmp_path / "airflow").write_text(RECORDER)
    (tmp_path / "airflow").chmod(0o700)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(tmp_path), "ADMIN_PASSWORD": "-% s3cret\\n"}
    subprocess.run(["sh", str(DOCKER / "init.sh")], env=environ, check=True)
    arguments = (tmp_path / "arguments").read_text()
    assert "users create --role Admin" in arguments and "s3cret" not in arguments
    assert (tmp_path / "typed").read_text() == "-% s3cret\\n\n" * 2
