"""Evidence: what is exported, others verify; what is tampered with, nobody does."""
