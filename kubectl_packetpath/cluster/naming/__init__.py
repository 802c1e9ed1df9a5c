"""From a name to addresses, as a program in a pod gets them."""
