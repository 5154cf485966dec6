"""Tenants: settings, names of secrets and parameters, login sources, and cached look-ups of settings and keys."""
