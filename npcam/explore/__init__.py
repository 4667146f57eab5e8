"""The network alive in one page: it runs in the browser, and every number shows where it comes from."""
