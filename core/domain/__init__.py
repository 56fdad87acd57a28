"""The pure core: values in, values out. No await, no clock, no chance, no I/O, no logging."""
