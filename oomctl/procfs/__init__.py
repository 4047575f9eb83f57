"""Text under /proc and the cgroup file systems -> model."""
