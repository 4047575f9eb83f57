"""What an ordinary user, a container or bad luck may do against a program that runs as root."""
