"""One file for each subcommand; a command reads, asks the kernel room, and lets the render room print."""
