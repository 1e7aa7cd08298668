"""What the commands do, a module each; loaded when they are called, so that a service loads none of it."""
