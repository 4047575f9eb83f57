"""What the kernel computes when memory runs out. Pure: values in, values out."""
