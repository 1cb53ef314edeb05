"""The accounting of what comes in: a hub with every way in, hostile input for each, a ledger of what became of it."""
