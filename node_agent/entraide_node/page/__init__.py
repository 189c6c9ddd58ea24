"""Owner page: a web page on this machine's loopback, on which an owner sets their terms."""
