"""Reading: listings, filters and exports of a log."""
