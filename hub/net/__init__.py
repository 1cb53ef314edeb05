"""Guarded clients: every byte that the hub sends or fetches over a network by itself goes through this room.

Checked addresses, a total deadline, limits in bytes, credentials by reference, kept connections, signed webhooks. It
knows nothing of appeals, channels or protocols above HTTP; nothing here sleeps, follows a redirect, or reads a proxy, a
password or a certificate from the environment unasked.
"""
