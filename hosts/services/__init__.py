"""What the product does with hosts. The only door to hosts.driver."""
