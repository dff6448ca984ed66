"""The simulated Kraken: matching engine, protocol, faults; speaks to sockets or pipes."""
