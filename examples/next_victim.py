#!/usr/bin/env python3
import json
import subprocess
import sys

PRECIOUS = {"postgres", "sshd"}
ask = ["oomctl", "simulate", "--json"]
asked = subprocess.run(ask, stdout=subprocess.PIPE, check=False)
if asked.returncode not in (0, 1):
    sys.exit(3)  # oomctl has said on stderr what is wrong
answer = json.loads(asked.stdout)
if asked.returncode == 1:
    print("CRITICAL: nothing would be killed:", answer["reason"])
    sys.exit(2)
comm, pid = answer["victim"]["comm"], answer["victim"]["pid"]
freed = answer["freed_bytes"] >> 20
text = f"{comm} ({pid}) is next, {freed} MiB would be freed"
if answer["certainty"] == "close":
    rivals = len(answer["contenders"])
    text += f"; it is close between {rivals} processes"
lost = PRECIOUS & {process["comm"] for process in answer["killed"]}
print("CRITICAL:" if lost else "OK:", text)
sys.exit(2 if lost else 0)
