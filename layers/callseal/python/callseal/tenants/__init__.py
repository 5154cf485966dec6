"""Tenants: their settings, and the cached look-ups of settings and keys."""
