"""The same stack, network and functions that the tests of delivery have."""

from tests.functions.conftest import clock, cloud, encrypt_recording, network, sweep_landing

__all__ = ["clock", "cloud", "encrypt_recording", "network", "sweep_landing"]
