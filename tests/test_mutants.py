"""The faults of `make mutants` can still be put into the code."""

import importlib.util

import pytest

from pipeline.settings import PROJECT

spec = importlib.util.spec_from_file_location("mutants", PROJECT / "benchmarks" / "mutants.py")
assert spec and spec.loader
mutants = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mutants)


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_has_its_place_and_its_tests(mutant):
    assert (PROJECT / mutant.file).read_text().count(mutant.original) == 1
    assert all((PROJECT / "tests" / name).exists() for name in mutant.tests.split())
