"""What grows, how long that can go on, and whom the kernel takes then: statistics and arithmetic, nothing is read."""
