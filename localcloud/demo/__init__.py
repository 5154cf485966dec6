"""`make demo`: the main job on the local cloud, from an empty stack, explained for newcomers.

`__main__` has the chapters, `operator` what the platform and its operator do, `tenants` the tenants with their
keys and tools, and `screen` the output.
"""
