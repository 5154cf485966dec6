"""How hypothesis works in the unit tests: no deadlines on a shared machine, and nothing written into the project."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unit",
    deadline=None,
    database=None,
    max_examples=150,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")
