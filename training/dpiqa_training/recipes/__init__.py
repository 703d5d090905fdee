"""One readable file a recipe: set-up, loop, log."""
