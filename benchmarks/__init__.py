"""Benchmarks: `make bench`. Each row is a ratio to a peer, which is measured in the same run, alternately with ours."""
