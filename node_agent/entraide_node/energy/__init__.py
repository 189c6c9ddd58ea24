"""Energy: what the machine draws, from a catalogue until a meter tells better."""
