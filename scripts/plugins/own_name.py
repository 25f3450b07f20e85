"""Airflow on one computer answers under that computer's own names only.

A web page may let its own name point to 127.0.0.1 (DNS rebinding). The browser then takes Airflow for a part of that
page, and the page may read what Airflow answers. The name it asked for is still in the request's Host header.
"""

from airflow.plugins_manager import AirflowPlugin
from starlette.middleware.trustedhost import TrustedHostMiddleware


class OwnName(AirflowPlugin):
    name = "own_name"
    fastapi_root_middlewares = [  # noqa: RUF012 - Airflow reads a plain list
        {
            "name": "own name",
            "middleware": TrustedHostMiddleware,
            "kwargs": {"allowed_hosts": ["127.0.0.1", "localhost"], "www_redirect": False},
        }
    ]
