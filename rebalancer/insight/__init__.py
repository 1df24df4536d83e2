"""What a book looks like as it stands."""
