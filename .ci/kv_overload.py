"""Twice the connections and twice the memory that kv has, for a while: errors are told, memory stays flat.

usage: kv_overload.py PORT PID SECONDS
"""

import random
import sys
import threading
import time

from resp import Client

PORT, PID, SECONDS = (int(word) for word in sys.argv[1:4])
KEYS, VALUE = 4000, 500
counts = {"answered": 0, "oom": 0, "refused": 0, "closed": 0}
wrong = []
lock = threading.Lock()
stop = time.time() + SECONDS


def count(what, number=1):
    with lock:
        counts[what] += number


def work(seed):
    rng = random.Random(seed)
    while time.time() < stop:
        try:
            client = Client(PORT)
            for _ in range(rng.randrange(1, 200)):
                key = rng.randrange(KEYS)
                value = (b"%d:" % key) * (VALUE // 5)
                if rng.random() < 0.6:
                    answer = client.ask("SET", f"k{key}", value)
                    if answer.startswith(b"-ERR max"):
                        count("refused")
                        break
                    if answer.startswith(b"-OOM"):
                        count("oom")
                        client.ask("DEL", f"k{rng.randrange(KEYS)}")
                    elif answer != b"+OK":
                        wrong.append(answer)
                else:
                    answer = client.ask("GET", f"k{key}")
                    if answer is not None and answer.startswith(b"-ERR max"):
                        count("refused")
                        break
                    if answer is not None and answer != value:
                        wrong.append((key, answer[:50]))
                count("answered")
            client.close()
        except (EOFError, OSError):
            # Refused while it was sending.
            count("closed")
            time.sleep(0.005)


def resident():
    with open(f"/proc/{PID}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


threads = [threading.Thread(target=work, args=(n,)) for n in range(100)]
for thread in threads:
    thread.start()
time.sleep(SECONDS / 3)
first = resident()
for thread in threads:
    thread.join()
last = resident()
print(f"kv: {SECONDS} s overloaded: {counts}, resident {first} kB after a third, {last} kB at the end")
assert not wrong, wrong[:3]
assert counts["answered"] > 1000 and counts["oom"] > 0 and counts["refused"] + counts["closed"] > 0
assert last <= first + 512, "memory grows"
