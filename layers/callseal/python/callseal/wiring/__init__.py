"""The composition root: settings from the environment, and the objects that the functions work with."""
