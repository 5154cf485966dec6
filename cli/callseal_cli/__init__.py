"""The operator's command `callseal`: tenants, keys, held files and the state of a stack, by its public interface.

One module for each group of sub-commands (`tenants`, `keys`, `held`, `files`, `status`) and a package for `selftest`,
which `app` puts together; the others are what they share. The functions never import any of it.
"""
