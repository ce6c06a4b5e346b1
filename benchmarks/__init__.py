"""Benchmarks of kwdag beside its peers; `benchmarks/run.sh` runs them.
Not part of the installed package, and not tests."""
