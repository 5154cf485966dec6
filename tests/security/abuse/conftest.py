"""Fixtures for the same stack, network and functions as in the tests of delivery."""

from tests.functions.conftest import clock, cloud, encrypt_recording, network, sweep_landing

__all__ = ["clock", "cloud", "encrypt_recording", "network", "sweep_landing"]
