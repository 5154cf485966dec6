"""`callseal selftest`: prove a deployment on the spot, with canary tenants that are removed again.

`command` is what the operator calls. `runner` runs the checks of `checks/` on one `trial`: each is a function with a
name, a sentence and a result (`model`). `observe` looks at the stack, and `removal` removes what the trial made.
`private_keys` and `cms` are the tenant's side.
"""
