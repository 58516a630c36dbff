"""virsh: capabilities of a host, XML and statistics of its guests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

CAPABILITIES = """\
<capabilities><host><uuid>5d1a</uuid><cpu><arch>aarch64</arch></cpu><topology><cells num='2'>
<cell id='0'><memory unit='KiB'>131072000</memory><pages unit='KiB' size='4'>32768000</pages><pages unit='KiB' size='2048'>512</pages>
<cpus num='40'><cpu id='0'/></cpus></cell>
<cell id='1'><memory unit='KiB'>131072000</memory><pages unit='KiB' size='2048'>256</pages><pages unit='KiB' size='1048576'>0</pages>
<cpus num='40'/></cell></cells></topology></host></capabilities>
"""
DOMAIN = """\
<domain type='kvm' id='7' xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><name>db-1</name>
<uuid>4DEA22B3-1D52-D8F3-2516-782E98AB3FA0</uuid><memory unit='GiB'>8</memory><currentMemory unit='GiB'>4</currentMemory>
<vcpu current='6'>8</vcpu><os><type arch='aarch64' machine='virt-10.0'>hvm</type></os><features><gic version='3'/></features>
<memoryBacking><hugepages><page size='2' unit='M'/></hugepages></memoryBacking>
<devices><disk type='network' device='disk'/><disk type='file' device='cdrom'/>
<hostdev type='pci'><source><address domain='0x0000' bus='0x03' slot='0x00' function='0x1'/></source></hostdev>
<hostdev type='mdev'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev></devices>
<q:commandline><q:arg value='-global'/><q:arg value='host-arm-cpu.kvm-psci-version=1.1'/></q:commandline></domain>
"""
DOMSTATS = """\
Domain: 'db-1'
  state.state=1
  balloon.current=4194304
  balloon.maximum=8388608
  vcpu.current=6
  vcpu.maximum=8

Domain: 'off'
  state.state=5
  vcpu.current=1

"""


def test_capabilities_give_the_size_of_a_host(imports: Callable[..., Any]) -> None:
    (host,) = imports(("arm-01", CAPABILITIES)).hosts.values()
    assert host == {"host": "arm-01", "hugepages": {"2048KiB": 768}, "memory": "256000MiB", "vcpus": 80}


def test_a_domain_gives_what_its_guest_was_started_with(imports: Callable[..., Any]) -> None:
    (guest,) = imports(("arm-01", DOMAIN)).guests.values()
    assert guest == {
        "guest": "db-1",
        "born": {"psci": "1.1"},
        "devices": ["0000:03:00.1", "c2177883-f1bb-47f0-914d-32a22e3a8804"],
        "disks": "shared",
        "gic": 3,
        "hugepages": "2048KiB",
        "machine": "virt-10.0",
        "memory": "8192MiB",
        "on": "arm-01",
        "vcpus": 6,
    }


def test_a_disk_in_a_file_is_not_known_to_be_shared(imports: Callable[..., Any]) -> None:
    found = imports(("arm-01", DOMAIN.replace("type='network'", "type='file'")))
    assert "disks" not in found.guests["db-1"]
    assert ("disks", ("db-1",)) in {(row.key, row.names) for row in found.outcome.imported.missing}


def test_statistics_of_a_host_agree_with_the_domain(imports: Callable[..., Any]) -> None:
    found = imports(("arm-01", DOMAIN), ("arm-01", DOMSTATS))
    assert found.rules == ["FP143"]
    assert list(found.guests) == ["db-1"]
    alone = imports(("arm-01", DOMSTATS)).guests["db-1"]
    assert alone == {"guest": "db-1", "memory": "8192MiB", "on": "arm-01", "vcpus": 6}


def test_the_version_is_what_libvirt_would_start(imports: Callable[..., Any]) -> None:
    printed = "Compiled against library: libvirt 11.3.0\nRunning hypervisor: QEMU 10.0.2\n"
    assert imports(("arm-01", printed)).hosts == {"arm-01": {"host": "arm-01", "vmm": "qemu-10.0.2"}}


@pytest.mark.parametrize("document", [CAPABILITIES, DOMSTATS])
def test_who_does_not_say_the_host_is_asked_for_it(imports: Callable[..., Any], document: str) -> None:
    assert "NAME=FILE" in imports(document).facts("FP140")[0]["problem"]


def test_a_guest_without_host_is_listed_as_such(imports: Callable[..., Any]) -> None:
    found = imports(DOMAIN)
    assert ("on", ("db-1",)) in {(row.key, row.names) for row in found.outcome.imported.missing}


@pytest.mark.parametrize(
    ("old", "new", "why"), [(" id='7'", "", "does not run"), ("aarch64", "x86_64", "x86_64"), ("type='kvm' id='7'", "", "does not run")]
)
def test_what_is_no_running_arm64_guest_is_left_out_and_told(imports: Callable[..., Any], old: str, new: str, why: str) -> None:
    found = imports(("arm-01", DOMAIN.replace(old, new)))
    assert not found.guests
    assert why in found.facts("FP143")[0]["problem"]
