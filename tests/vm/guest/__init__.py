"""What runs inside the emulated machine; the host takes only the format of swap areas from here."""
