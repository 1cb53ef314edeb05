"""The demo: a hub and simulated authorities on loopback, with real processes and real HTTP, and what becomes of 300
appeals. Nothing in the hub imports it; tests that kill arrange their worlds with it.
"""
