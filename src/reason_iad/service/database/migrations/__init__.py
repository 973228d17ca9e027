"""How the form of the database changed, one file for each change."""
