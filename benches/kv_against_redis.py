#!/usr/bin/env python3
"""kv against redis-server: CPU time per request and rate, interleaved.

The server runs on core 0, redis-benchmark on core 1. Each round measures both servers after one another, so
that both see the same noise; the medians of the rounds are printed, with kv's share of redis's figure.

usage: benches/kv_against_redis.py [ROUNDS]     (default 5; needs redis-server, redis-benchmark, taskset)
"""
import os
import re
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TICK = os.sysconf("SC_CLK_TCK")
TESTS = ["ping_mbulk", "set", "get", "incr", "mset"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(name):
    port = free_port()
    if name == "kv":
        command = [f"{HERE}/target/release/examples/kv", "--port", str(port)]
    else:
        command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(["taskset", "-c", "0"] + command, stdout=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
            return process, port
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{name} did not start")


def cpu_ns(pid):
    """CPU time of all threads so far, in nanoseconds: the scheduler's own count, not ticks."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


def measure(process, port, test, depth, requests):
    before = cpu_ns(process.pid)
    text = subprocess.run(
        ["taskset", "-c", "1", "redis-benchmark", "-p", str(port), "-t", test, "-n", str(requests), "-c", "50",
         "-P", str(depth), "-r", "100000", "--csv"],
        capture_output=True, text=True, check=True).stdout
    cpu = (cpu_ns(process.pid) - before) / requests
    rate = float(re.findall(r'^"[^"]*","([0-9.]+)"', text, re.M)[-1])
    return cpu, rate


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    servers = {name: start(name) for name in ("kv", "redis")}
    print(f"{'test':<12}{'-P':>4}{'kv ns/req':>12}{'redis':>9}{'share':>8}{'kv req/s':>12}{'redis':>10}{'ratio':>8}")
    try:
        for depth, requests in ((1, 100_000), (16, 1_000_000)):
            for test in TESTS:
                found = {name: [] for name in servers}
                for _ in range(rounds):
                    for name, (process, port) in servers.items():
                        found[name].append(measure(process, port, test, depth, requests))
                cpu = {name: statistics.median(c for c, _ in found[name]) for name in servers}
                rate = {name: statistics.median(r for _, r in found[name]) for name in servers}
                print(f"{test:<12}{depth:>4}{cpu['kv']:>12.0f}{cpu['redis']:>9.0f}{cpu['kv'] / cpu['redis']:>8.2f}"
                      f"{rate['kv']:>12.0f}{rate['redis']:>10.0f}{rate['kv'] / rate['redis']:>8.2f}", flush=True)
    finally:
        for process, _ in servers.values():
            process.terminate()
            process.wait()


main()
