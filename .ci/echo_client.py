"""Forty connections send random bytes and compare what comes back; each ends half-closed."""

import os
import socket
import sys
import threading

failures = []


def connection(port, number):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
            for turn in range(50):
                sent = os.urandom(1 + (number * 997 + turn * 131) % 20_000)
                peer.sendall(sent)
                got = b""
                while len(got) < len(sent):
                    part = peer.recv(65536)
                    if not part:
                        raise EOFError("closed early")
                    got += part
                assert got == sent
            peer.shutdown(socket.SHUT_WR)
            assert peer.recv(1) == b""
    except Exception as error:
        failures.append(f"connection {number}: {error!r}")


threads = [threading.Thread(target=connection, args=(int(sys.argv[1]), n)) for n in range(40)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failures:
    sys.exit("\n".join(failures))
print("echo: 40 connections, 2000 round trips")
