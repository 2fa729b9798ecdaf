"""One file for each system of a paper, assembled from the rooms before."""
