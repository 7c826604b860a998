"""What a table says. Works on any DataFrame with the columns of ``table``, wherever it came from. No drawing."""
