"""Public data from another world, landed as the contract asks: see this folder's README."""
