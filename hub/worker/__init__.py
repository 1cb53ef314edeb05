"""The Celery application with thin tasks: they carry a lane's name and nothing else, and call ``hub.outbound``.

The broker only wakes. No message of ours is ever in its custody, so it may be wiped at any time.
"""
