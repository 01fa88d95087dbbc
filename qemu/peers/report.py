"""Tables of the results: a line per boot, medians per system, Dayfly's ratios and their budgets."""

from statistics import median

from machine import Boot

# The budgets in CI: Dayfly's time from kernel start to the OS's init as a share of the other system's, in the same run.
BUDGETS = {"live-boot": 0.40, "dracut": 0.22}
OURS = "dayfly"
UNCHECKED = "dayfly-unchecked"


def medians(boots: list[Boot], field: str) -> dict[str, float]:
    """The median of a field by system, over the boots that have it."""
    values: dict[str, list[float]] = {}
    for boot in boots:
        if (value := getattr(boot, field)) is not None:
            values.setdefault(boot.system, []).append(value)
    return {system: median(found) for system, found in values.items()}


def ratios(boots: list[Boot], ours: str = OURS) -> dict[str, float]:
    """Dayfly's median time to exec as a share of each budgeted system's, if both were measured."""
    middle = medians(boots, "exec_s")
    return {system: middle[ours] / middle[system] for system in BUDGETS if ours in middle and system in middle}


def one_line(boot: Boot) -> str:
    if boot.exec_s is None:
        return f"{boot.system:16} round {boot.round}: {boot.outcome}"
    fetched = f", {boot.bytes_fetched / 1e6:.1f} MB fetched" if boot.bytes_fetched else ""
    login = f", login prompt at {boot.login_s:.1f} s of the host" if boot.login_s else ""
    return (
        f"{boot.system:16} round {boot.round}: exec at {boot.exec_s:.2f} s of the guest ({boot.busy_s:.2f} busy), "
        f"{boot.wall_s:.1f} s of the host, {boot.qemu_cpu_s:.1f} CPU-s{fetched}{login}"
    )


def summary(clock: list[Boot], icount: list[Boot]) -> str:
    lines = []
    if clock:
        lines += ["", "Kernel start -> exec of the OS's init, by the clock: medians (CPU-s and host s are QEMU's, from its own start)", "",
                  *table(clock), "", *ratio_lines(clock, with_budget=True)]
    if icount:
        lines += ["", "The CPU part, by instructions (icount: 1 ns each; medians). A hash is a tight loop whose",
                  "instructions emulate several times as fast as the rest: compare the unchecked boot here, the checked one by the clock", "",
                  *table(icount), "", *ratio_lines(icount, with_budget=False)]
    return "\n".join(lines)


COLUMNS = [
    ("guest s", "exec_s", 1, 2), ("busy s", "busy_s", 1, 2), ("vCPU s", "vcpu_s", 1, 2), ("CPU-s", "qemu_cpu_s", 1, 2), ("host s", "wall_s", 1, 2),
    ("initramfs MB", "initramfs_bytes", 1e6, 1), ("fetched MB", "bytes_fetched", 1e6, 1),
    ("available MiB", "mem_available_kib", 1024, 0), ("guest RAM MiB", "host_rss_kib", 1024, 0),
]


def table(boots: list[Boot]) -> list[str]:
    systems = list(dict.fromkeys(boot.system for boot in boots))
    middles = {field: medians(boots, field) for _, field, _, _ in COLUMNS}
    lines = [f"{'system':17}" + " ".join(f"{title:>13}" for title, *_ in COLUMNS) + "   guest s of each round"]
    for system in systems:
        cells = [
            f"{middles[field][system] / unit:13.{digits}f}" if system in middles[field] else f"{'-':>13}"
            for _, field, unit, digits in COLUMNS
        ]
        each = ", ".join(f"{boot.exec_s:.2f}" if boot.exec_s is not None else "failed" for boot in boots if boot.system == system)
        lines.append(f"{system:17}" + " ".join(cells) + f"   {each}")
    return lines


def ratio_lines(boots: list[Boot], with_budget: bool) -> list[str]:
    lines = []
    for ours in (OURS, UNCHECKED):
        for system, ratio in ratios(boots, ours).items():
            budget = f"   budget {BUDGETS[system]:.2f}: {'kept' if ratio <= BUDGETS[system] else 'MISSED'}" if with_budget and ours == OURS else ""
            lines.append(f"{ours + ' / ' + system:30} {ratio:6.3f}{budget}")
    return lines
