"""A key's life: check, accept, challenge, prove, select, announce the expiry, retire."""
