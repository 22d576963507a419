"""`fake-dra ui`: a page that shows the devices of a cluster, who holds them, and what waits."""
