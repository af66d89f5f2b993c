"""This machine: uvicorn processes behind one Envoy, watched by one Prometheus, all of them named in one state file."""
