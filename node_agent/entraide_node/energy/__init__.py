"""Energy: the machine's power, from a meter if there is one, else from a catalogue."""
