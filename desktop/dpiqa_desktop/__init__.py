"""The application: the batch tool ``dpiqa-batch`` and the engine it runs on."""
