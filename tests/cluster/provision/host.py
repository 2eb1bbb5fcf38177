"""The cluster of real binaries: up, down, healthy."""

import shutil

import binaries
import control_plane
import dns
import images
import network
import node
import packages
import pki
import policies
import storage
from places import KUBECONFIG, STATE
from processes import running, stop

_PARTS = (storage, dns, node, control_plane)


def healthy() -> bool:
    """Whether every process runs and the node is Ready."""
    names = [name for part in _PARTS for name in part.NAMES]
    return all(running(name) for name in names) and control_plane.api_ready() and node.ready()


def up(*, with_images: bool) -> None:
    """Gives a healthy cluster: does nothing where there is one, clears the rest of a broken one."""
    packages.install(packages.NODE_PACKAGES | packages.IMAGE_PACKAGES)
    binaries.build()
    if with_images:
        images.build()
    if not healthy():
        down()
        network.up()
        pki.make()
        control_plane.up()
        node.up()
        dns.up()
        storage.up()
    images.load()
    print(f"the cluster is up: export KUBECONFIG={KUBECONFIG}", flush=True)


def down() -> None:
    """Takes the cluster away: processes, containers, mounts, bridge, packet filter, files."""
    if not STATE.exists():
        return
    policies.down()
    for part in _PARTS:
        for name in part.NAMES:
            stop(name)
    node.remove_containers()
    network.down()
    shutil.rmtree(STATE)
