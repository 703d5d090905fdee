"""The networks, one a file; only here is torch imported at module level."""
