"""The command line: parse, wire, print. The only place that knows every other part."""
