"""Benchmarks: `make bench`. Each row is a ratio against a peer that is measured in the same run, interleaved with ours."""
