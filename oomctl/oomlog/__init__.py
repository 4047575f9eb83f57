"""Kernel messages -> what the OOM killer reported, and our verdict beside the kernel's."""
