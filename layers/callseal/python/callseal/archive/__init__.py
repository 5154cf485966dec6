"""What people do with recordings: who may find, play, download and share which calls.

`access` reads a tenant's parameter, and `may` decides about one call. Both know nothing of AWS.
"""
