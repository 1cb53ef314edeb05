"""Documents in authorities' own forms."""
