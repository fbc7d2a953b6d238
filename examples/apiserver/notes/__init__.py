"""An added API server: ``notes.example.com/v1``, kept in a file of its own, served behind any cluster's API server."""
