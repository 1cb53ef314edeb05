"""The engine, the doorbell and group commit."""
