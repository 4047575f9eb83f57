# Copyright: The oomctl developers
# MIT License (see the LICENSE file of oomctl)
"""What all modules of the collection have in common."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class ModuleDocFragment(object):
    """The option that names the program."""

    DOCUMENTATION = r"""
options:
  executable:
    description:
      - The program on the target.
      - A file that may not be executed, such as a copied C(oomadm.pyz), is run by the Python of the module.
      - Without it C(oomadm) is looked for in C(PATH), C(/usr/local/bin) and C(/opt/oomctl/bin).
    type: path
"""
