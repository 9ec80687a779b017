"""Draws a part of a trace that `examples/trace` wrote, as SVG.

usage: trace.py TRACE.json BEGIN_US LENGTH_US >trace.svg
"""

import json
import sys
from html import escape

WIDTH, LEFT, ROW = 960, 90, 16
COLOURS = {"echo": "#4c78a8", "client": "#f58518", "root": "#72b7b2", "sleep": "#e4e4e4"}

events = json.load(open(sys.argv[1]))["traceEvents"]
begin, length = float(sys.argv[2]), float(sys.argv[3])
end = begin + length


def x(ts):
    return LEFT + (min(max(ts, begin), end) - begin) / length * (WIDTH - LEFT - 10)


def bar(ts, dur, y, colour, title, height=ROW - 4):
    width = max(x(ts + dur) - x(ts), 0.7)
    return (f'<rect x="{x(ts):.1f}" y="{y}" width="{width:.1f}" height="{height}" fill="{colour}">'
            f'<title>{escape(title)}</title></rect>')


def label(text, y):
    return f'<text x="4" y="{y + 10}">{escape(text)}</text>'


out, y = [], 8
for row in [event for event in events if event["name"] == "thread_name"]:
    out.append(label(row["args"]["name"], y))
    for event in events:
        if event["ph"] != "X" or event["tid"] != row["tid"]:
            continue
        if event["ts"] + event["dur"] < begin or event["ts"] > end:
            continue
        colour = COLOURS.get(event["name"], "#b279a2")
        out.append(bar(event["ts"], event["dur"], y, colour, f'{event["name"]} {event["dur"]} us'))
    y += ROW + 4

lives = {}
order = []
for event in events:
    if event["ph"] == "b":
        lives[event["id"]] = [event]
        order.append(lives[event["id"]])
    elif event["ph"] in "ne":
        lives[event["id"]].append(event)
lanes = []
for life in sorted(order, key=lambda life: life[0]["ts"]):
    first, last = life[0]["ts"], life[-1]["ts"]
    if last < begin or first > end:
        continue
    lane = next((lane for lane in range(len(lanes)) if lanes[lane] <= first), None)
    if lane is None:
        lane = len(lanes)
        lanes.append(0)
    lanes[lane] = last + length / 200
    at = y + lane * ROW
    marks = {event["name"]: event["ts"] for event in life if event["ph"] == "n"}
    submitted, completed = marks.get("submitted", last), marks.get("completed", last)
    title = f'{life[0]["name"]} of {life[0]["args"]["task"]}'
    out.append(bar(first, submitted - first, at, "#f2cf5b", title + ": queued"))
    out.append(bar(submitted, completed - submitted, at, "#9ecae9", title + ": with the system"))
    out.append(bar(completed, last - completed, at, "#88d27a", title + ": completed, not yet taken"))
    if x(last) - x(first) > 60:
        out.append(f'<text x="{x(first) + 3:.1f}" y="{at + 10}">{escape(title)}</text>')
out.append(label("operations", y))
y += len(lanes) * ROW + 6
legend = [("#4c78a8", "echo"), ("#f58518", "client"), ("#72b7b2", "root"), ("#e4e4e4", "sleep"),
          ("#f2cf5b", "queued"), ("#9ecae9", "with the system"), ("#88d27a", "completed")]
at = LEFT
for colour, text in legend:
    out.append(f'<rect x="{at}" y="{y}" width="10" height="10" fill="{colour}"/>'
               f'<text x="{at + 14}" y="{y + 9}">{text}</text>')
    at += 26 + 7 * len(text)
out.append(f'<text x="{WIDTH - 120}" y="{y + 9}">{length:g} us in all</text>')
print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 18}" font-family="sans-serif" '
      f'font-size="10"><rect width="100%" height="100%" fill="white"/>')
print("\n".join(out))
print("</svg>")
