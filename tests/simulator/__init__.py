"""Tests of the other side: characters, counts, reports to the hub, and the appeals that are made up."""
