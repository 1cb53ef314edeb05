"""The contract of all adapters, put to the test itself."""
