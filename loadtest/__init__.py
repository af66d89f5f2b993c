"""The users: an open-loop load by Locust, run as a child process (importing locust patches the process with gevent)."""
