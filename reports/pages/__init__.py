"""HTML pages: the report of a run, comparisons of runs, the pages of the server."""
