# Copyright: The oomctl developers
# MIT License (see the LICENSE file of oomctl)
"""Finds oomadm on the target, runs it, and reads its JSON."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import re
import sys

# Where packages, a wheel and the single file put it. Never plain "oomctl" of PATH: that may be systemd-oomd's.
_PLACES = ["/usr/local/bin", "/opt/oomctl/bin"]
EXECUTABLE = dict(type="path")


def find(module):
    """Return the argv that starts the program; None if it is not installed and this is only a check.

    Without it a check cannot know everything, and must not fail: it may be the play that installs it.
    """
    named = module.params["executable"]
    if named is None:
        found = module.get_bin_path("oomadm", opt_dirs=_PLACES)
    else:
        found = named if os.path.isfile(named) else None
    if found is not None:
        # The single file as it was copied needs no permission to execute.
        return [found] if os.access(found, os.X_OK) else [sys.executable, found]
    missing = "%s is not installed on this host" % (named or "oomadm")
    if module.check_mode:
        module.warn("%s; what it would do is not known yet" % missing)
        return None
    return module.fail_json(msg="%s; install it, or name it with executable" % missing)


def ask(module, argv, data=None, **done):
    """Run it with --json; return its exit status, its document, and the sentences on stderr.

    Fails with its sentence where it has no document; ``done`` is what the module has to say then of what it did before.
    """
    status, out, err = module.run_command(argv, data=data)
    try:
        document = json.loads(out)
        schema = document["schema"]
    except (ValueError, KeyError, TypeError):
        said = err.strip() or out.strip() or "it printed nothing"
        module.fail_json(msg="%s: %s" % (" ".join(argv[:3]), said), rc=status, stdout=out, stderr=err, **done)
    if schema.startswith("oomctl.error/"):
        sentence = ". ".join(part for part in (document["error"], document.get("detail")) if part)
        module.fail_json(msg=sentence, rc=status, **done)
    return status, document, re.findall("^oomctl: (?!hint: )(.+)$", err, re.MULTILINE)


def warn(module, document):
    """Pass on what a dry run could not foresee, once for all the processes that it is about."""
    warned = {}
    for change in document["changes"]:
        if change.get("warning"):
            warned.setdefault(change["warning"], []).append("%d (%s)" % (change["pid"], change["comm"]))
    for warning, about in sorted(warned.items()):
        module.warn("%s: %s" % (", ".join(about), warning))


def moved(changes):
    """Return those of the document's changes that changed a value, or would."""
    return [
        change
        for change in changes
        if change["status"] in ("changed", "dry-run") and change["before"] != change["after"]
    ]


def values(changes, when):
    """Return a line for each change that says the value ``before`` or ``after`` it, for --diff."""
    return "".join("%s (%d): %s\n" % (change["comm"], change["pid"], change[when]) for change in changes)


def failures(document):
    """Return a sentence for each process or unit of a change that did not get its value."""
    failed = [
        "%d (%s): %s" % (change["pid"], change["comm"], change["reason"])
        for change in document["changes"]
        if change["status"] in ("denied", "refused")
    ]
    return failed + [
        "%s: %s" % (unit["unit"], unit["reason"])
        for unit in document.get("persisted", [])
        if unit["status"] in ("denied", "refused", "ineffective")
    ]
