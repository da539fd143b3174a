#!/usr/bin/env python3
"""Runs bitbake's PR server in the foreground: bitbake-prserv itself can only leave a daemon and a file in /tmp behind.

Usage: pr-server.py <bitbake's folder> <address> <port> <database>
"""

import logging
import os
import sys

source, address, port, database = sys.argv[1:5]
sys.path.insert(0, os.path.join(source, "lib"))

import prserv.serv

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
# Its own level is what names every connection.
logging.getLogger("BitBake.PRserv").setLevel(logging.WARNING)
server = prserv.serv.PRServer(os.path.abspath(database))
server.start_tcp_server(address, int(port))
server.serve_forever()
