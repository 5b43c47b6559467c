"""The display process: REST, the live feed and the page, from a read model of its own."""
