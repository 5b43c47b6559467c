"""The case folder: append-only event log, raw epochs, and the files made from them."""
