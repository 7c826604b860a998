"""Statistics on arrays: arrays in, numbers out. These modules know no table."""
