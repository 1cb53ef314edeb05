"""The envelope's renderings and published schemas: loss-free, exact, and agreed on by tools that others wrote."""
