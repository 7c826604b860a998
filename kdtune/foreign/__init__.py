"""Tables from elsewhere: read any file or frame, find out what its columns mean, and say what was understood."""
