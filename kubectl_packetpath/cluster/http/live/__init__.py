"""What a proxy has really loaded, by its own word, held against what the objects promise."""
