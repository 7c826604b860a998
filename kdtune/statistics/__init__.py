"""Statistics on arrays. The functions take arrays and return numbers; they know no tables."""
