"""Settings that outlive a process: what a service manager says of a unit, and the drop-in that changes it."""
