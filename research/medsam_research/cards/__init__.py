"""Model cards: what a network is, what it learned from and at which cost, and how well it does."""
