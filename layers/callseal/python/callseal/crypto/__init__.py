"""Sealing and judging keys: envelopes, recipients, GnuPG. Knows nothing of AWS."""
