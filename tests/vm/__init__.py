"""Real kernels in QEMU, on which what is forbidden on a build machine may be tried.

``pytest -m vm`` boots one kernel, ``--all-kernels`` four: one for each way in which Linux has counted RSS.
``--kills 300`` lets each of them kill so often (default: each kind twice), ``--seed N`` with other processes,
``--cpus N`` on so many CPUs; the end of the output has a table of kind by kernel, and one of what was left when oomctl
was asked by kernel. Needed are ``qemu-system-x86``, ``e2fsprogs`` and a Debian mirror that apt is configured with (or
OOMCTL_VM_MIRROR); no KVM, no root. Downloads, archives and the last consoles are kept
in $XDG_CACHE_HOME/oomctl-vm. OOMCTL_WHEEL names a built wheel to test instead of this tree.

- ``kernels`` fetches, ``initramfs`` builds the guest's file system, ``qemu`` runs it, ``agreement`` counts.
- ``foreign`` builds and runs guests of other architectures, only with ``--architectures``.
- ``programs`` builds and runs a Debian with PostgreSQL, Redis and a JVM, only with ``--all-kernels``; inside,
  ``programs`` is its script and ``software`` starts them.
- ``debian`` builds and boots a whole Debian, or two that Ansible reaches by ssh, in which ``host`` is the script.
- ``guest`` is what runs inside: ``boot`` is PID 1 and starts one script (``machine``, ``memcg``, ``numa``,
  ``panic``, ``settings``, ``life`` with ``limits``, ``container``, ``v1``); ``judge`` asks oomctl, lets the kernel
  choose and reports, ``verdict`` says what that means; ``toys`` are the victims, ``memory`` what they are made of
  besides their own, ``pairs`` the sizes of those that compete; ``confined`` is where oomctl may be asked.
"""
