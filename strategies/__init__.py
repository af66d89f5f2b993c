"""The domain, pure: what traffic is, the steps of a rollout, one function per strategy, the engine. No I/O, no clock, no tool."""
