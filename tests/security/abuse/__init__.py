"""Abuse: keys, names, notifications and settings as somebody who means harm would write them."""
