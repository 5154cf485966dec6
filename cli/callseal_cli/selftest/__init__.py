"""`callseal selftest`: test a deployment with canary tenants, and remove them again.

`command` is the sub-command. `runner` runs the checks of `checks/` on one `trial`. A check is a function with a name, a
sentence and a result (`model`). `observe` reads the stack's state, and `removal` removes what the trial created.
`private_keys` and `cms` are the tenant's side.
"""
