"""Forms of systems that exist, connected by configuration only (docs/recipes)."""
