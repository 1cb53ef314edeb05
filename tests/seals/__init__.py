"""What holds, what is refused and why, and what programs of others say to it."""
