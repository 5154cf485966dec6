"""Abuse: keys, names, notifications and settings that an attacker would write."""
