"""Injects every fault into every request of every scenario, and checks the promises with a model."""
