"""Tests of the adapter ``email``."""
