"""The round trip with a CRM without a connector: files to load, the results it gives back, and what is still to do."""
