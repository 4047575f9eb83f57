"""What the live views show and offer, as values: pure, so that it is tested without a terminal."""
