"""Tests of the durable memory."""
