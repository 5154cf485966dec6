"""Benchmarks: `make bench`. Each row is a ratio against a peer, measured in the same run and in turns with ours."""
