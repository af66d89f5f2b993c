"""Where a rollout happens: each platform carries out the engine's five verbs with real servers behind a real proxy."""
