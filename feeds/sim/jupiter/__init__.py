"""The simulated Jupiter: routes over the simulated chain's pools, and the program they call."""
