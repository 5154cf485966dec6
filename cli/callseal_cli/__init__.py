"""The operator's command `callseal`: tenants, keys, held files and the state of a stack, by its public interfaces.

Each group of sub-commands is a module (`tenants`, `keys`, `held`, `files`, `status`), and `selftest` is a package.
`app` combines them. The other modules are shared. The functions import nothing from here.
"""
