"""The documents are true: their commands are run, their examples are checked."""
