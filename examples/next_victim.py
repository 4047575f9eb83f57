#!/usr/bin/env python3
import json
import subprocess
import sys

PRECIOUS = {"postgres", "sshd"}
ask = ["oomctl", "simulate", "--json"]
asked = subprocess.run(ask, stdout=subprocess.PIPE, check=False)
answer = json.loads(asked.stdout or b"{}")
if "victim" not in answer:
    sys.exit(3)  # an error, of which oomctl has told on stderr as well
if answer["victim"] is None:
    unknown = answer["outcome"] == "unknown"
    print("UNKNOWN:" if unknown else "CRITICAL:", answer["reason"])
    sys.exit(3 if unknown else 2)
text = "{comm} ({pid}) is next".format(**answer["victim"])
text += f", {answer['freed_bytes'] >> 20} MiB would be freed"
if len(answer["contenders"]) > 1:
    text += f"; it is close between {len(answer['contenders'])} processes"
for doubt in answer["doubts"]:
    text += f"; {doubt['message']}"
lost = PRECIOUS & {process["comm"] for process in answer["killed"]}
print("CRITICAL:" if lost else "OK:", text)
sys.exit(2 if lost else 0)
