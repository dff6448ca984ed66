"""The simulated Solana: chain, landing, two RPC nodes; speaks to sockets or pipes."""
