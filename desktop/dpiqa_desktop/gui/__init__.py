"""The window: shows what the engine and the metadata module do, and does nothing of that itself."""
