"""Modules beside this one can be imported by every test below; torch runs on one thread."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def one_torch_thread():
    """Threads that share such small products mostly wait for each other."""
    had = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(had)
