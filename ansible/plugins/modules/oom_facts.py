#!/usr/bin/python
# Copyright: The oomctl developers
# MIT License (see the LICENSE file of oomctl)

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: oom_facts
short_description: Say whom the OOM killer would take, how sure that is, and what is wrong
version_added: "0.1.0"
description:
  - Asks C(oomadm simulate) and C(oomadm check), and returns both as facts. Nothing is changed, nothing is killed.
options:
  cgroup:
    description:
      - Ask what would happen if this memory cgroup ran out, not the machine.
    type: str
  min_severity:
    description:
      - Return only findings that are as bad as this.
    type: str
    choices: [info, warning, critical]
    default: info
extends_documentation_fragment:
  - oomadm.oomadm.program
attributes:
  check_mode:
    description: Asks all the same, for it only reads.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
  facts:
    description: Returns facts.
    support: full
  platform:
    description: Linux, from 3.10 on.
    support: full
    platforms: Linux
notes:
  - Of the findings C(kills-seen) is left out, for C(oomadm check) tells it once, and cron may wait for it.
  - Command lines are left out, for facts are printed and cached, and passwords may stand in them.
  - Who is not root sees less of other users' processes; nothing is certain then.
author:
  - The oomctl developers (@oomctl)
"""

EXAMPLES = r"""
- name: Whom would the kernel take?
  oomadm.oomadm.oom_facts:

- name: The database is not to be first
  ansible.builtin.assert:
    that: oom.victim is none or oom.victim.comm != 'postgres'
"""

RETURN = r"""
ansible_facts:
  description: What was found. Without C(oomadm) a check returns none.
  returned: when the program ran
  type: dict
  contains:
    oom:
      description: The answer.
      returned: when the program ran
      type: dict
      contains:
        outcome:
          description: What the kernel would do; C(kill), or why it would kill nobody.
          type: str
          returned: always
        reason:
          description: Why, or null.
          type: str
          returned: always
        victim:
          description: The process it would kill, or null; C(pid), C(comm), C(oom_score_adj), C(rss_bytes) and more.
          type: dict
          returned: always
        certainty:
          description: C(certain), or C(close) where another may be first; null without a victim.
          type: str
          returned: always
        settled:
          description: Whether no other process can grow to be first before memory runs out.
          type: bool
          returned: always
        contenders:
          description: The PIDs of all that may be first.
          type: list
          elements: int
          returned: always
        freed_bytes:
          description: What the kill would free.
          type: int
          returned: always
        findings:
          description: What C(oomadm check) finds, the worst first, each with C(id), C(severity), C(message), C(remedy).
          type: list
          elements: dict
          returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.oomadm.oomadm.plugins.module_utils import program

ANSWER = ("outcome", "reason", "victim", "certainty", "settled", "contenders", "freed_bytes")


def main():
    module = AnsibleModule(
        argument_spec=dict(
            cgroup=dict(type="str"),
            min_severity=dict(type="str", choices=["info", "warning", "critical"], default="info"),
            executable=program.EXECUTABLE,
        ),
        supports_check_mode=True,
    )
    argv = program.find(module)
    if argv is None:
        module.exit_json(changed=False)
    scope = ["--cgroup=" + module.params["cgroup"]] if module.params["cgroup"] else []
    answer = program.ask(module, argv + ["simulate", "--json"] + scope)[1]
    # That check notes what it has told, and would not tell it again to whoever else asks, such as cron.
    asked = ["check", "--json", "--ignore", "kills-seen", "--min-severity", module.params["min_severity"]]
    found = program.ask(module, argv + asked)[1]
    oom = dict((name, answer.get(name)) for name in ANSWER)
    if oom["victim"]:
        oom["victim"].pop("cmdline", None)
    oom["findings"] = found["findings"]
    module.exit_json(changed=False, ansible_facts=dict(oom=oom))


if __name__ == "__main__":
    main()
