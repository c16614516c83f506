"""Our training beside that of others: one file for each side, and what measures them."""
