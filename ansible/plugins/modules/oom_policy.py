#!/usr/bin/python
# Copyright: The oomctl developers
# MIT License (see the LICENSE file of oomctl)

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: oom_policy
short_description: Write the rules that say which processes get which oom_score_adj, and apply them
version_added: "0.1.0"
description:
  - Validates the rules by C(oomadm policy check), puts the file in place as a whole, and applies it.
  - Rules with a mistake change nothing.
options:
  rules:
    description:
      - The rules, first match first, with the keys that oomctl-policy(5) has.
      - Exactly one of I(rules), I(content) and I(src) is needed unless I(state=absent).
    type: list
    elements: dict
    suboptions:
      target:
        description: Which processes; in a list it is enough that one matches.
        type: list
        elements: str
        required: true
      adj:
        description: The value, from -1000 to 1000.
        type: int
        required: true
      scope:
        description: Which of the matches are lowered.
        type: str
        choices: [root, all, tree]
      reason:
        description: Why, for people.
        type: str
      force:
        description: Also set what is otherwise left alone.
        type: bool
  precious:
    description:
      - Processes that are not to be lost; C(oomadm check) warns where one would be next. Only with I(rules).
    type: list
    elements: str
    default: []
  content:
    description:
      - The whole file, as TOML.
    type: str
  src:
    description:
      - A file on the target that holds the rules, as TOML.
    type: path
  path:
    description:
      - The file to write. Another file than those the program reads by itself is applied alone.
    type: path
    default: /etc/oomctl/policy.toml
  apply:
    description:
      - Give running processes the values, too. With I(state=absent) they keep what they have.
    type: bool
    default: true
  watch:
    description:
      - Whether the service C(oomctl-policy.service) keeps the policy applied, now and after each start.
      - Without it the service is left as it is; where it runs, it reads a changed file again.
    type: bool
  state:
    description:
      - Whether the file is there.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - oomadm.oomadm.program
attributes:
  check_mode:
    description:
      - Validates the rules, and says which processes would change, by the program's own dry run.
      - Whether the kernel permits to lower a value without CAP_SYS_RESOURCE cannot be asked; a check warns of that.
    support: full
  diff_mode:
    description: Shows the file, and the value of each process, before and after.
    support: full
  platform:
    description: Linux, from 3.10 on.
    support: full
    platforms: Linux
notes:
  - On hosts where C(oomadm) is not installed yet, a check compares the file alone.
  - A process that a rule leaves alone or that the kernel refuses to lower is a failure with its reason.
author:
  - The oomctl developers (@oomctl)
"""

EXAMPLES = r"""
- name: The database last, backups first, and so kept
  oomadm.oomadm.oom_policy:
    precious: [postgres]
    rules:
      - {target: postgres, adj: -900, reason: everything else can be started again}
      - {target: [restic, borg], adj: 500}
    watch: true
"""

RETURN = r"""
path:
  description: The file.
  returned: always
  type: str
changes:
  description: The processes that a rule is about, with their values before and after.
  returned: when the program ran
  type: list
  elements: dict
"""

import glob
import os
import tempfile

from ansible.module_utils._text import to_bytes, to_text
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.oomadm.oomadm.plugins.module_utils import program

DIRECTORY = "/etc/oomctl"
SERVICE = "oomctl-policy.service"
MODE = 0o644  # a policy that others may write is refused


def main():
    rule = dict(
        target=dict(type="list", elements="str", required=True),
        adj=dict(type="int", required=True),
        scope=dict(type="str", choices=["root", "all", "tree"]),
        reason=dict(type="str"),
        force=dict(type="bool"),
    )
    module = AnsibleModule(
        argument_spec=dict(
            rules=dict(type="list", elements="dict", options=rule),
            precious=dict(type="list", elements="str", default=[]),
            content=dict(type="str"),
            src=dict(type="path"),
            path=dict(type="path", default=DIRECTORY + "/policy.toml"),
            apply=dict(type="bool", default=True),
            watch=dict(type="bool"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            executable=program.EXECUTABLE,
        ),
        mutually_exclusive=[("rules", "content", "src")],
        required_if=[("state", "present", ("rules", "content", "src"), True)],
        supports_check_mode=True,
    )
    path, present = module.params["path"], module.params["state"] == "present"
    _check_place(module, path, present)
    systemctl = _systemctl(module)
    before, after = _read(module, path), _wanted(module) if present else None
    argv = program.find(module)
    if present and argv:
        _validate(module, argv, after)

    changed = before != after
    if present and not changed:
        changed = os.stat(path).st_mode & 0o777 != MODE
    if changed and not module.check_mode:
        if present:
            _put(module, path, after)
        else:
            _remove(module, path)
    diff = [dict(before_header=path, after_header=path, before=before or "", after=after or "")]
    result = dict(path=path, changes=[], diff=diff, changed=changed)
    failed = []
    if present and argv and module.params["apply"]:
        document = _apply(module, argv, path, after, result)
        program.warn(module, document)
        moved = program.moved(document["changes"])
        result.update(changed=changed or bool(moved), changes=document["changes"])
        if moved:
            diff.append(dict((when, program.values(moved, when)) for when in ("before", "after")))
        failed = program.failures(document)
    if systemctl and _serve(module, systemctl, before != after, result):
        result["changed"] = True
    if failed:
        module.fail_json(msg="; ".join(failed), **result)
    module.exit_json(**result)


def _check_place(module, path, present):
    """Fail, in a check as in a run, where no file can be put."""
    if not os.path.isabs(path):
        module.fail_json(msg="path: expected an absolute path, got %s" % (path or "nothing"))
    above = os.path.dirname(path)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if present and not os.path.isdir(above):
        module.fail_json(msg="cannot write %s: %s is not a directory" % (path, above))


def _read(module, path):
    """Return the text of a file, None where there is none."""
    if not os.path.exists(path):
        return None
    if not os.path.isfile(path):  # to open a FIFO would wait for its writer
        return module.fail_json(msg="cannot read %s: not a regular file" % path)
    try:
        with open(path, "rb") as file:
            return to_text(file.read())
    except (IOError, OSError) as error:
        return module.fail_json(msg="cannot read %s: %s" % (path, error))


def _wanted(module):
    if module.params["content"] is not None:
        return to_text(module.params["content"])
    if module.params["src"] is not None:
        text = _read(module, module.params["src"])
        return module.fail_json(msg="%s: no such file" % module.params["src"]) if text is None else text
    lines = ["# Written by Ansible; what is changed here is overwritten."]
    if module.params["precious"]:
        lines += ["precious = " + _toml(module.params["precious"])]
    for rule in module.params["rules"]:
        lines += ["", "[[rule]]"]
        keys = ("target", "adj", "scope", "reason", "force")
        lines += ["%s = %s" % (key, _toml(rule[key])) for key in keys if rule[key] is not None]
    return to_text("\n".join(lines) + "\n")


def _toml(value):
    """Return a value as TOML writes it: a boolean, an integer, a string or a list of strings."""
    if isinstance(value, list):
        return "[%s]" % ", ".join(_toml(one) for one in value)
    if isinstance(value, (bool, int)):
        return str(value).lower()
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"%s"' % "".join("\\u%04x" % ord(sign) if ord(sign) < 32 or ord(sign) == 127 else sign for sign in escaped)


def _validate(module, argv, text):
    document = program.ask(module, argv + ["policy", "check", "--json", "-f", "-"], data=text)[1]
    mistakes = [
        "line %s: %s" % (one["line"], one["message"]) for one in document["mistakes"] if one["severity"] == "error"
    ]
    if mistakes:
        module.fail_json(msg="the policy is wrong, nothing was changed: " + "; ".join(mistakes), mistakes=mistakes)
    for one in document["mistakes"]:
        module.warn("policy, line %s: %s" % (one["line"], one["message"]))


def _put(module, path, text):
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        try:
            os.makedirs(directory, 0o755)
        except (IOError, OSError) as error:
            module.fail_json(msg="cannot write %s: %s" % (path, error))
    descriptor, name = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "wb") as file:
        file.write(to_bytes(text))
    os.chmod(name, MODE)
    module.atomic_move(name, path)
    module.set_mode_if_different(path, MODE, False)


def _remove(module, path):
    try:
        os.unlink(path)
    except (IOError, OSError) as error:
        module.fail_json(msg="cannot remove %s: %s" % (path, error))


def _apply(module, argv, path, text, done):
    """Apply all files the program reads, or the one given; in a check as if this one were in place.

    ``done``: what the module has to say if it fails.
    """
    first = DIRECTORY + "/policy.toml"
    if path == first or os.path.dirname(path) == DIRECTORY + "/policy.d":
        files = [first] + sorted(set(glob.glob(DIRECTORY + "/policy.d/*.toml") + [path]) - set([first]))
    else:
        files = [path]
    words = argv + ["policy", "apply", "--json"]
    if module.check_mode:
        words.append("--dry-run")
    for file in files:
        if file == path:
            words += ["-f", "-" if module.check_mode else file]
        elif os.path.exists(file):
            words += ["-f", file]
    return program.ask(module, words, data=text if module.check_mode else None, **done)[1]


def _systemctl(module):
    """Return the program; None where systemd does not run. Fails where it is needed, before anything is written."""
    systemctl = module.get_bin_path("systemctl")
    if systemctl is not None and os.path.isdir("/run/systemd/system"):
        return systemctl
    if module.params["watch"]:
        module.fail_json(
            msg="watch needs systemd, and this host was not booted by it; start oomadm policy watch otherwise"
        )
    return None


def _serve(module, systemctl, is_new, done):
    """Bring the service to what ``watch`` says, let a running one read a new file; return whether it was changed.

    ``done``: what the module has to say if it fails.
    """
    watch = module.params["watch"]
    runs = module.run_command([systemctl, "is-active", "--quiet", SERVICE])[0] == 0
    enabled = module.run_command([systemctl, "is-enabled", "--quiet", SERVICE])[0] == 0
    change = []
    if watch and not (runs and enabled):
        change = ["enable", "--now", SERVICE]
    elif watch is False and (runs or enabled):
        change = ["disable", "--now", SERVICE]
    elif is_new and runs:
        change = ["reload", SERVICE]
    if change and not module.check_mode:
        status, out, err = module.run_command([systemctl] + change)
        if status:
            module.fail_json(msg="systemctl %s: %s" % (" ".join(change), (err or out).strip()), rc=status, **done)
    return change[:1] in (["enable"], ["disable"])


if __name__ == "__main__":
    main()
