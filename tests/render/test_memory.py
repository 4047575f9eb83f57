"""Where memory is, in words."""

from __future__ import annotations

from oomctl.model.memory import Accounting, Part, Share, Whole
from oomctl.render.memory import accounting_document, accounting_lines, now_lines

MIB = 1 << 20
SHARES = (
    Share(Part.ANONYMOUS, 500 * MIB),
    Share(Part.SHMEM, 300 * MIB),
    Share(Part.FREE, 100 * MIB),
    Share(Part.SLAB_UNRECLAIMABLE, 60 * MIB),
)
SUM = Accounting(Whole.RAM, 1000 * MIB, SHARES, 40 * MIB, mapped_bytes=10 * MIB, unheld_bytes=390 * MIB)


def test_the_sum_is_told_from_the_largest_part_on_with_what_no_process_holds() -> None:
    assert accounting_lines(SUM) == [
        "1000.0MiB of RAM; held by no process: at least 390.0MiB (*)",
        "500.0MiB  50.0 %     private memory of processes",
        "300.0MiB  30.0 %  *  tmpfs and shared memory, at most 10.0MiB of it mapped",
        "100.0MiB  10.0 %     free",
        " 60.0MiB   6.0 %  *  slab, not reclaimable",
        " 40.0MiB   4.0 %  *  in no counter of the kernel",
    ]


def test_what_is_counted_twice_is_told() -> None:
    lines = accounting_lines(SUM._replace(unexplained_bytes=0, overlap_bytes=8 * MIB))
    assert lines[-1] == " -8.0MiB  -0.8 %     counted twice: the counters do not agree"


def test_what_the_log_lacks_is_not_called_uncounted() -> None:
    lines = accounting_lines(SUM._replace(missing=("free", "slab_reclaimable")))
    assert lines[-1].split("%")[1].strip() == "not in the log: free, slab_reclaimable, …"


def test_private_memory_of_nobody_listed_is_told() -> None:
    assert accounting_lines(SUM._replace(unlisted_bytes=30 * MIB))[1].endswith(
        "private memory of processes, at least 30.0MiB of none in the table"
    )


def test_now_is_one_line_with_the_largest_parts_and_one_for_what_no_process_holds() -> None:
    assert now_lines(SUM) == [
        "now: 500.0MiB private, 300.0MiB tmpfs and shared, 100.0MiB free, 60.0MiB slab, 40.0MiB in no counter",
        "held by no process: at least 390.0MiB",
    ]
    few = SUM._replace(unheld_bytes=50 * MIB)
    assert now_lines(few, of_more=True)[0].startswith("in the whole machine now: 500.0MiB private, ")
    assert len(now_lines(few)) == 1


def test_the_document_adds_up() -> None:
    document = accounting_document(SUM)
    assert document is not None
    assert sum(document["parts"].values()) + document["unexplained_bytes"] == document["total_bytes"]
    assert accounting_document(None) is None
