"""The use cases: take an appeal in, carry it, take back what the authority says, sweep, and what operators do.

Decisions (``schedule``, ``breaker``, ``settle``) are pure; the rest calls ports. No celery, sqlalchemy, requests or
fastapi may enter this room.
"""
