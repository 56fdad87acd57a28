"""Benchmarks: `python -m tests.bench`, `make bench`. Each file measures one thing; the gates are those of issue 2."""
