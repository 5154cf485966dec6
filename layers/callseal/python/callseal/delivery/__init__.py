"""Deliver landed files to the output buckets: routing, planning, committing, holding and the sweep."""
