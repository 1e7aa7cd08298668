"""What is deployed: the configuration of each environment."""
