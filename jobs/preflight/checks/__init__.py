"""One module per concern. Every module here is found and registered by itself."""
