"""The bridge, the packet filter's rules and the kernel settings: saved before, put back after."""

import json
import subprocess
from pathlib import Path

from places import BRIDGE, NODE_ADDRESS, POD_SUBNET, STATE

_SETTINGS = (
    "net/ipv4/ip_forward",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/ipv4/conf/all/route_localnet",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "vm/overcommit_memory",
)
"""What kubelet, kube-proxy and the CNI plugins change."""
_TABLES = ("iptables", "ip6tables")


def up() -> None:
    """Remembers the machine's state, then makes the bridge and lets packets through."""
    before = STATE / "before"
    before.mkdir(parents=True, exist_ok=True)
    (before / "settings.json").write_text(json.dumps({s: _read(s) for s in _SETTINGS}))
    for table in _TABLES:
        (before / table).write_text(_run(f"{table}-save"))
    for setting in _SETTINGS[:2]:
        Path("/proc/sys", setting).write_text("1")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "addr", "add", f"{NODE_ADDRESS}/{POD_SUBNET.split('/')[1]}", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    _run("iptables", "-P", "FORWARD", "ACCEPT")


def down() -> None:
    """Removes the bridge and puts rules and settings back as they were."""
    if Path("/sys/class/net", BRIDGE).exists():
        _run("ip", "link", "del", BRIDGE)
    before = STATE / "before"
    for table in _TABLES:
        if (before / table).exists():
            _forget_rules(table)
            _run(f"{table}-restore", text=(before / table).read_text())
    if (before / "settings.json").exists():
        for setting, value in json.loads((before / "settings.json").read_text()).items():
            if value is not None and value != _read(setting):
                Path("/proc/sys", setting).write_text(value)


def _forget_rules(table: str) -> None:
    """Removes every table: a restore alone leaves tables that the saved text does not name."""
    family = "ip" if table == "iptables" else "ip6"
    for line in _run("nft", "list", "tables", family).splitlines():
        _run("nft", "delete", *line.split())


def _read(setting: str) -> str | None:
    file = Path("/proc/sys", setting)
    return file.read_text().strip() if file.exists() else None


def _run(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
