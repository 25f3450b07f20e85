"""The referee: experiments on a protocol's data, and reports. May use anything; nothing of the product uses it."""
