"""Thousands of recordings while keys change, events get lost and requests fail."""
