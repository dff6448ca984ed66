"""Who may enter and what each may do: roles, sessions, tokens, tickets and their endpoints."""
