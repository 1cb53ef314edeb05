"""Tests of ``hub.workbench``."""
