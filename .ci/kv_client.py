"""What redis-cli does not do: split frames, pipelines, large values, slow readers, half-closed ones, too many.

usage: kv_client.py PORT CONNECTIONS
"""

import os
import socket
import sys
import time

from resp import Client, command

PORT, CONNECTIONS = int(sys.argv[1]), int(sys.argv[2])


def split_frames():
    client = Client(PORT)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    frame = command("SET", "split", b"a\r\nb\0c") + command("GET", "split") + b"PING\r\n"
    for cut in range(1, len(frame)):
        client.send(frame[:cut])
        time.sleep(0.0005)
        client.send(frame[cut:])
        assert [client.reply() for _ in range(3)] == [b"+OK", b"a\r\nb\0c", b"+PONG"], cut
    for byte in frame:
        client.send(bytes([byte]))
    assert [client.reply() for _ in range(3)] == [b"+OK", b"a\r\nb\0c", b"+PONG"]
    client.close()
    return f"{len(frame)} cuts"


def pipeline():
    client = Client(PORT)
    client.send(b"".join(command("SET", f"p{n}", n) + command("GET", f"p{n}") for n in range(5000)))
    for n in range(5000):
        assert client.reply() == b"+OK" and client.reply() == b"%d" % n
    client.close()
    return "10000 commands at once"


def large_values():
    client = Client(PORT)
    for size in (0, 95, 96, 97, 16 << 10, (16 << 10) + 1, 100_000, 1 << 20):
        value = os.urandom(size)
        assert client.ask("SET", "large", value) == b"+OK"
        assert client.ask("GET", "large") == value
        assert client.ask("STRLEN", "large") == b":%d" % size
    client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % ((1 << 20) + 1))
    assert client.reply() == b"-ERR Protocol error: invalid bulk length"
    assert client.ended()
    return "to 1 MiB"


def protocol_errors():
    cases = {
        b"*x\r\n": b"invalid multibulk length",
        b"*1\r\n+PING\r\n": b"expected '$', got '+'",
        b"*1\r\n$-5\r\n": b"invalid bulk length",
        b"*99999999\r\n": b"invalid multibulk length",
        b"x" * 5000: b"too big inline request",
        b'SET "a\r\n': b"unbalanced quotes in request",
    }
    for request, words in cases.items():
        client = Client(PORT)
        client.send(b"PING\r\n" + request)
        assert client.reply() == b"+PONG"
        assert client.reply() == b"-ERR Protocol error: " + words, request
        assert client.ended()
        client.close()
    return f"{len(cases)}, each told and then closed"


def slow_reader():
    """A reader that does not read is not read from either, and others are served meanwhile."""
    slow, other = Client(PORT), Client(PORT)
    value = os.urandom(1 << 20)
    assert other.ask("SET", "slow", value) == b"+OK"
    slow.socket.settimeout(2)
    sent, request = 0, command("GET", "slow")
    try:
        while sent < 400_000:
            slow.send(request * 200)
            sent += 200
    except TimeoutError:
        pass
    assert sent < 400_000, "nothing pushes back"
    assert other.ask("SET", "slow", "new") == b"+OK"
    slow.socket.settimeout(20)
    assert slow.reply() == value, "the value as it was when it was asked for"
    slow.close()
    time.sleep(0.2)
    assert other.ask("GET", "slow") == b"new"
    other.close()
    return "backpressured"


def half_closed():
    client = Client(PORT)
    client.send(command("SET", "half", "x" * 200_000) + command("GET", "half") * 20)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.reply() == b"+OK"
    assert all(client.reply() == b"x" * 200_000 for _ in range(20))
    assert client.ended()
    client.close()
    return "4 MB after its end"


def too_many():
    clients = [Client(PORT) for _ in range(CONNECTIONS)]
    assert all(client.ask("PING") == b"+PONG" for client in clients)
    one_more = Client(PORT)
    assert one_more.reply() == b"-ERR max number of clients reached"
    assert one_more.ended()
    clients.pop().close()
    time.sleep(0.2)
    again = Client(PORT)
    assert again.ask("PING") == b"+PONG"
    for client in clients + [again, one_more]:
        client.close()
    time.sleep(0.2)
    return f"{CONNECTIONS} and one more"


def full():
    client = Client(PORT)
    assert client.ask("FLUSHALL") == b"+OK"
    stored = 0
    while (answer := client.ask("SET", f"full{stored}", b"x" * 50_000)) == b"+OK":
        stored += 1
    assert answer == b"-OOM command not allowed when used memory > 'maxmemory'.", answer
    # In the frame of one command that does not even fit for a while.
    assert client.ask("MSET", *[b"y" * 900_000] * 20).startswith(b"-OOM")
    assert all(client.ask("GET", f"full{n}") == b"x" * 50_000 for n in range(stored))
    assert client.ask("DEL", "full0") == b":1"
    assert client.ask("SET", "again", b"x" * 40_000) == b"+OK"
    assert client.ask("FLUSHALL") == b"+OK"
    info = client.ask("INFO", "memory")
    assert b"used_memory:0\r\n" in info, info
    client.close()
    return f"{stored} values of 50 kB, then -OOM, nothing lost"


for check in (split_frames, pipeline, large_values, protocol_errors, slow_reader, half_closed, too_many, full):
    print(f"kv: {check.__name__}: {check()}", flush=True)
