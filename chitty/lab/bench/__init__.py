"""The bench: measures a service and its peers on this machine, and makes tables, plots and a page of it."""
