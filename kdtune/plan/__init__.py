"""What is to be trained: networks, their ids, packs, and which pack may start next. Pure."""
