"""Integration hub between the National Contact Centre (NCC) and the systems that authorities already have."""

__version__ = "0.1.0"
