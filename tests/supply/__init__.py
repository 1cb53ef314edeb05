"""Supply chain: what the hub is made of (SBOM), which holes of it are known (audit), how it runs where nothing but its
home can be written.
"""
