"""Cryptography: envelopes, verdicts on recipients' keys, GnuPG. Imports no AWS library."""
