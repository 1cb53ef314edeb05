"""Tests of the hub: each proves one thing that a user can see, and says which."""
