"""One reader for each kernel subject. Each is called inside of the namespace that it reads."""
