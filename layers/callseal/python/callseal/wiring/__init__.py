"""The composition root: settings from the environment, and the parts that the functions work with."""
