"""Players: each plays a case's input against the hub and tells in plain text what came of it."""
