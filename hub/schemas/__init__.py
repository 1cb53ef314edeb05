"""The envelope and the other values that travel: frozen models, their JSON and XML renderings, JSON Schema and XSD.

Nothing in this room reads a file, a clock or a network; it knows no door, no store and no adapter.
"""
