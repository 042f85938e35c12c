"""Benchmarks: what is measured, on which data, and against what."""
