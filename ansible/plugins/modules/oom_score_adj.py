#!/usr/bin/python
# Copyright: The oomctl developers
# MIT License (see the LICENSE file of oomctl)

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: oom_score_adj
short_description: Set how much the OOM killer prefers a process
version_added: "0.1.0"
description:
  - Sets C(oom_score_adj) of running processes by C(oomadm set), and with I(persist) of later starts of their service.
  - What C(oomadm) refuses for safety is refused here, too, and is a failure with its reason.
options:
  target:
    description:
      - >-
        Which processes: a name, a PID, a unit (C(nginx.service)), C(cgroup:PATH), C(user:NAME) or C(cmd:REGEX);
        see oomctl-set(8).
    type: list
    elements: str
    required: true
  adj:
    description:
      - The value, from -1000 (never chosen) to 1000 (chosen first).
    type: int
    required: true
  persist:
    description:
      - Also for later starts of the service, by a drop-in of systemd.
    type: bool
    default: false
  all:
    description:
      - When lowering, take every match and not only its root. Raising always takes every match.
    type: bool
    default: false
  tree:
    description:
      - Take all descendants of the matches as well.
    type: bool
    default: false
  any_user:
    description:
      - When lowering by name, also take processes of login users, who can call a program anything.
    type: bool
    default: false
  force:
    description:
      - Also PID 1, login sessions, raising sshd, and raising more than 20 processes.
    type: bool
    default: false
  missing_ok:
    description:
      - A target that does not run on this host is no failure. It is listed in C(missing).
    type: bool
    default: true
extends_documentation_fragment:
  - oomadm.oomadm.program
attributes:
  check_mode:
    description:
      - Says what would change, by the program's own dry run; changes nothing.
      - Whether the kernel permits to lower a value without CAP_SYS_RESOURCE cannot be asked; a check warns of that.
    support: full
  diff_mode:
    description: Shows the value of each process before and after.
    support: full
  platform:
    description: Linux, from 3.10 on.
    support: full
    platforms: Linux
notes:
  - Lowering a value below its floor needs CAP_SYS_RESOURCE, which root of a container usually lacks.
  - On hosts where C(oomadm) is not installed yet, a check warns and says nothing would change.
author:
  - The oomctl developers (@oomctl)
"""

EXAMPLES = r"""
- name: The database is taken last, also after its next start
  oomadm.oomadm.oom_score_adj:
    target: postgresql@15-main.service
    adj: -900
    persist: true

- name: What can be started again is taken first
  oomadm.oomadm.oom_score_adj:
    target: [restic, borg]
    adj: 500
"""

RETURN = r"""
changes:
  description: A process that was meant, with its value before and after.
  returned: when the program ran
  type: list
  elements: dict
  sample: [{"pid": 812, "comm": "restic", "before": 0, "after": 500, "status": "changed", "reason": null}]
persisted:
  description: What became of the drop-in of each unit.
  returned: when the program ran
  type: list
  elements: dict
left_alone:
  description: Matches that were not meant, with the reason.
  returned: when the program ran
  type: list
  elements: dict
missing:
  description: The targets that do not run here.
  returned: when the program ran
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.oomadm.oomadm.plugins.module_utils import program

FLAGS = ("persist", "all", "tree", "any_user", "force", "missing_ok")


def main():
    module = AnsibleModule(
        argument_spec=dict(
            target=dict(type="list", elements="str", required=True),
            adj=dict(type="int", required=True),
            persist=dict(type="bool", default=False),
            all=dict(type="bool", default=False),
            tree=dict(type="bool", default=False),
            any_user=dict(type="bool", default=False),
            force=dict(type="bool", default=False),
            missing_ok=dict(type="bool", default=True),
            executable=program.EXECUTABLE,
        ),
        supports_check_mode=True,
    )
    argv = program.find(module)
    if argv is None:
        module.exit_json(changed=False)
    argv += ["set", "--json"]
    argv += ["--" + flag.replace("_", "-") for flag in FLAGS if module.params[flag]]
    if module.check_mode:
        argv.append("--dry-run")
    argv += ["--", str(module.params["adj"])] + module.params["target"]
    status, document, said = program.ask(module, argv)
    program.warn(module, document)

    changes, units = document["changes"], document.get("persisted", [])
    changed = program.moved(changes)
    changed_units = [unit for unit in units if unit["before"] != unit["after"]]
    result = dict(
        changed=bool(changed or changed_units),
        changes=changes,
        persisted=units,
        left_alone=document["left_alone"],
        missing=document.get("missing", []),
        diff=dict((when, _values(changed, changed_units, when)) for when in ("before", "after")),
    )
    failed = program.failures(document)
    if not module.params["missing_ok"]:
        failed += [one for one in said if one.startswith(tuple(word + ": " for word in module.params["target"]))]
    if status and not failed:
        failed = ["%d (%s): %s" % (one["pid"], one["comm"], one["reason"]) for one in document["left_alone"]]
        failed = failed or ["oomadm ended with status %d" % status]
    if failed:
        module.fail_json(msg="; ".join(failed), rc=status, **result)
    module.exit_json(**result)


def _values(changes, units, when):
    lines = "".join("%s of the unit: %s\n" % (unit["unit"], unit[when]) for unit in units)
    return program.values(changes, when) + lines


if __name__ == "__main__":
    main()
