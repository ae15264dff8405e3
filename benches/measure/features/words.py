"""The most frequent words of a text, timed here; one request a line, one answer a line."""
import json
import sys
import time
from collections import Counter


def top_words(text, most):
    return [{"value": v, "count": n} for v, n in Counter(text.lower().split()).most_common(most)]


def best(repeat, act):
    times = []
    for _ in range(repeat):
        begun = time.perf_counter_ns()
        act()
        times.append(time.perf_counter_ns() - begun)
    return min(times)


def whole(arguments):
    given = json.loads(arguments)
    return json.dumps(top_words(given["text"], given["most"]))


for line in sys.stdin:
    request = json.loads(line)
    arguments, repeat = request["arguments"], request["repeat"]
    given = json.loads(arguments)
    answer = {
        "function": best(repeat, lambda: top_words(given["text"], given["most"])),
        "whole": best(repeat, lambda: whole(arguments)),
        "result": top_words(given["text"], given["most"]),
    }
    print(json.dumps(answer), flush=True)
