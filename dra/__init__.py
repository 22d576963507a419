"""What a driver on a node needs, whatever its devices are: prepared claims and who shows them."""
