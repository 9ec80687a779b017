"""Connections that say nothing, or take nothing, for a second are closed; the others are not: kv_idle.py PORT"""

import sys
import time

from resp import Client, command

PORT = int(sys.argv[1])
idle, busy, stuck = Client(PORT), Client(PORT), Client(PORT)
assert busy.ask("SET", "k", "x" * 1_000_000) == b"+OK"
stuck.send(command("GET", "k") * 40)
began = time.time()
while time.time() - began < 3:
    assert busy.ask("PING") == b"+PONG"
    time.sleep(0.2)
assert idle.ended()
info = busy.ask("INFO", "clients")
assert b"connected_clients:1\r\n" in info, info
print("kv: idle and stuck connections closed, the busy one kept")
