"""Settings of every test: property tests repeat themselves and know no deadline on a busy machine."""

from hypothesis import settings

settings.register_profile("gate", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("gate")
