"""Run a sweep, from a request to its table. Only this folder imports Ray."""
