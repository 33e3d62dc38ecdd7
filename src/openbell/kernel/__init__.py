"""The one typed door to the compiled engine: the only room that imports openbell._kernel."""
