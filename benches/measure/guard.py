"""The shell guard of scripts/ as a hook in Python, for benches/measure/agent.rs."""

import json
import sys

DOWNLOADERS = {"curl", "wget", "fetch"}
SHELLS = {"sh", "bash", "zsh", "dash", "ksh", "fish", "eval", "source"}
INTERPRETERS = {"python", "python3", "perl", "ruby", "node"}
WRAPPERS = {"sudo", "doas", "env", "command", "exec", "nohup", "time", "nice", "xargs", "then", "do", "else"}
WATCHED = {"rm", "git", "dd", "chmod", "chown", "shutdown", "reboot", "halt", "poweroff", "curl", "wget", "sh", "bash"}
ROOTS = {"~", "$HOME", "/home", "/root", "/Users", "/etc", "/usr", "/var", "/bin", "/lib", "/boot", "/opt", "/dev"}
PROTECTED = {"main", "master", "production", "release"}


def commands(line):
    plain = line.replace("${HOME}", "$HOME")
    for mark in "\"'\\":
        plain = plain.replace(mark, "")
    for mark in "&|(){}`\n":
        plain = plain.replace(mark, ";")
    return [words for words in (unwrapped(part.split()) for part in plain.split(";")) if words]


def unwrapped(words):
    while words and "=" in words[0]:
        words.pop(0)
    if not words:
        return words
    if words[0] in WRAPPERS or (words[0] in SHELLS and "-c" in words):
        for index, word in enumerate(words[1:], 1):
            name = word.rsplit("/", 1)[-1]
            if name in WATCHED or name.startswith("mkfs"):
                words = words[index:]
                break
    words[0] = words[0].rsplit("/", 1)[-1]
    return words


def has_flag(words, letter):
    return any(word.startswith("-") and not word.startswith("--") and letter in word for word in words)


def is_root(word):
    if word == "*":
        return False
    place = word.rstrip("/*")
    if not place:
        return word.startswith("/")
    return place in ROOTS or (place.startswith("~") and "/" not in place)


def judge(words):
    name, rest = words[0], words[1:]
    if name == "rm" and (has_flag(rest, "r") or has_flag(rest, "R") or "--recursive" in rest):
        places = [word for word in rest if not word.startswith("-")]
        if any(is_root(place) for place in places):
            return "deny", "this deletes a home or system folder"
        if not places or any(place.rstrip("/") in (".", "..", "*") for place in places):
            return "ask", "this deletes everything in a folder"
    if name == "git" and "push" in rest:
        refs = [word for word in rest if not word.startswith("-")]
        if has_flag(rest, "f") or "--force" in rest or any(ref.startswith("+") for ref in refs):
            if any(ref.lstrip("+").rsplit(":", 1)[-1] in PROTECTED for ref in refs):
                return "deny", "this rewrites the history of a shared branch"
            return "ask", "this rewrites the history of a remote branch"
    if name == "git" and "reset" in rest and "--hard" in rest:
        return "ask", "this throws away changes that are not committed"
    if name == "dd" and any(word.startswith("of=/dev/") for word in rest):
        return "deny", "this overwrites a disk"
    if name in ("chmod", "chown") and has_flag(rest, "R") and any(is_root(word) for word in rest):
        return "deny", "this changes a whole system or home folder"
    if name in ("shutdown", "reboot", "halt", "poweroff"):
        return "ask", "this stops the machine"
    if name.startswith("mkfs"):
        return "deny", "this formats a disk"
    return None


def runs_its_input(words):
    first = words[1] if len(words) > 1 else None
    if words[0] in SHELLS:
        return first is None or first.startswith("-") or first.startswith("<")
    return words[0] in INTERPRETERS and first in (None, "-")


def main():
    event = json.load(sys.stdin)
    if event.get("tool_name") != "Bash":
        return
    all_words = commands(event["tool_input"].get("command", ""))
    found = [verdict for verdict in map(judge, all_words) if verdict]
    if any(words[0] in DOWNLOADERS for words in all_words) and any(map(runs_its_input, all_words)):
        found.append(("deny", "this runs what it downloads; save it to a file and read it first"))
    found.sort(key=lambda verdict: verdict[0] != "deny")
    if found:
        decision, reason = found[0]
        answer = {"hookEventName": "PreToolUse", "permissionDecision": decision, "permissionDecisionReason": reason}
        print(json.dumps({"hookSpecificOutput": answer}))


main()
