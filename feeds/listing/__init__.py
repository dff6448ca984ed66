"""What a desk may trade: listed by a person, verified against both venues, kept as rows."""
