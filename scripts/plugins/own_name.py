"""Airflow on one computer answers only requests to that computer's own names.

A web page may let its own name point to 127.0.0.1 (DNS rebinding). The browser then treats Airflow as part of that
page, and the page may read its answers. The page's name is still in the request's Host header.
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
