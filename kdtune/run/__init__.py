"""From a request to a finished sweep. The only folder that imports Ray."""
