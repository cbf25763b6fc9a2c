"""The finding of data subjects: names, addresses and ids in the texts of files."""
