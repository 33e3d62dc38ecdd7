"""The node as Python sees it: sources of records, participants and the loop that polls."""
