"""Objects of a cloud's object store, by URL: read, create once, update, list; and a lease that one driver holds."""
