"""Plans for KubeVirt (manifests), for Ansible (a playbook), and the pieces that pin PSCI versions for QEMU and libvirt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any
from xml.sax.saxutils import quoteattr

import yaml

from fleetplan.output.printable import printable
from fleetplan.output.runbooks.orders import Order, hosts_of, orders
from fleetplan.rollout.plan import Plan, StepKind

HOSTNAME_LABEL = "kubernetes.io/hostname"


# --- KubeVirt ------------------------------------------------------------------------------------------------------------------------


def kubevirt(plan: Plan) -> Iterator[str]:
    """Manifests in the order of the plan: nodes made unschedulable, migrations with the node to land on, nodes made schedulable.

    `kubectl apply` does not wait: each manifest says in a comment what must have ended before it is applied. Source: KubeVirt's user guide,
    node maintenance and live migration (`addedNodeSelector` from KubeVirt 1.5).
    """
    yield f"# To {_line(str(plan.target))}. Apply one document when the steps named above it have ended.\n"
    by_number = {order.number: order for order in orders(plan)}
    for order in by_number.values():
        yield f"---\n# {_line(order.step.id)}, wave {order.wave}"
        yield f", after {', '.join(_line(by_number[number].step.id) for number in order.after)}\n" if order.after else "\n"
        manifest = _manifest(order)
        yield _yaml(manifest) if manifest is not None else f"# {_line(_by_hand(order))}\n"


def _manifest(order: Order) -> Mapping[str, Any] | None:
    step = order.step
    match step.kind:
        case StepKind.CORDON | StepKind.UNCORDON:
            return {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": step.host},
                "spec": {"unschedulable": step.kind is StepKind.CORDON},
            }
        case StepKind.MIGRATE:
            namespace, _, name = (step.guest or "").rpartition("/")
            metadata = {"name": _label(step.id)} | ({"namespace": namespace} if namespace else {})
            spec = {"vmiName": name, "addedNodeSelector": {HOSTNAME_LABEL: step.destination}}
            return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration", "metadata": metadata, "spec": spec}
        case _:
            return None


def _label(name: str) -> str:
    """A name that Kubernetes takes: what it does not take is replaced, and a digest keeps such names apart."""
    plain = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:50]
    return plain if plain == name else f"{plain}-{sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}".lstrip("-.")


def _by_hand(order: Order) -> str:
    step = order.step
    who = step.guest or step.host or "everybody"
    told = {
        StepKind.STOP: f"virtctl stop: {who}",
        StepKind.START: f"virtctl start: {who}",
        StepKind.PIN: f"pin {who} with a sidecar hook (onDefineDomain): {step.note}",
        StepKind.UPGRADE: f"upgrade node {who}, and reboot it",
        StepKind.CHECK: f"check that node {who} runs the target kernel, and that its virt-handler is ready",
        StepKind.GATE: f"gate: {step.note or 'wait'}, {step.duration_s} s",
    }
    return told[step.kind]


# --- Ansible -------------------------------------------------------------------------------------------------------------------------


def ansible(plan: Plan) -> Iterator[str]:
    """A playbook with a play for each layer of the step graph: what may run at the same time, when all layers before have ended.

    A host on which something fails takes no further part, as Ansible has it, and steps that wait for one of its steps are left out: it is
    held, and the rest goes on. `virsh` migrates; `fleetplan_upgrade` is the task file of the site that installs kernel and VMM.
    """
    layers = _layers(plan)
    hosts = [str(host) for host in hosts_of(plan)]
    target = {"kernel": plan.target.kernel, "vmm": plan.target.vmm}
    names = {order.number: order.step.id for layer in layers for order in layer}
    yield f"# To {_line(str(plan.target))}. Needs: hosts named as in the plan, `fleetplan_upgrade` (a task file), virsh on every host.\n"
    first: dict[str, Any] = {
        "name": "The fleet is in a state on the plan's way",
        "hosts": _data(hosts),
        "gather_facts": False,
        "any_errors_fatal": True,
        "tasks": _first_look(plan),
    }
    plays = [first]
    for layer in layers:
        acting: dict[str, list[Mapping[str, Any]]] = {}
        for order in layer:
            acting.setdefault(_actor(order, hosts), []).append(_facts(order, names, plan))
        plays.append(
            {
                "name": f"Wave {layer[0].wave}: {', '.join(dict.fromkeys(order.step.kind.value for order in layer))}",
                "hosts": _data(sorted(acting)),
                "gather_facts": False,
                "strategy": "free",
                "vars": {"fleetplan_target": _data(target), "fleetplan_steps": _data(acting)},
                "tasks": _tasks(),
            }
        )
    yield _yaml(plays)


def _layers(plan: Plan) -> list[list[Order]]:
    """Steps by how many others come before them, one after the other. The plan lists a step after those that it waits for."""
    depth: dict[int, int] = {}
    found: dict[int, list[Order]] = {}
    for order in sorted(orders(plan), key=lambda each: (each.step.start_s, each.step.end_s, each.number)):
        depth[order.number] = 1 + max((depth.get(number, 0) for number in order.after), default=0)
        found.setdefault(depth[order.number], []).append(order)
    return [found[number] for number in sorted(found)]


def _actor(order: Order, hosts: list[str]) -> str:
    """The host on which a step's commands run; gates run on the first."""
    return str(order.step.source or order.step.host or hosts[0])


def _facts(order: Order, names: Mapping[int, str], plan: Plan) -> Mapping[str, Any]:
    step = order.step
    site = plan.sites.get(step.destination) if step.destination is not None else None
    given = {
        "id": step.id,
        "kind": step.kind.value,
        "after": [names[number] for number in order.after],
        "guest": step.guest,
        "to": (site.address if site is not None and site.address else step.destination),
        "seconds": step.duration_s if step.kind is StepKind.GATE else None,
        "note": step.note,
        "once": (step.kind in ONCE and step.host in {host for wave in plan.waves for host in wave.hosts}) or None,
    }
    return {name: value for name, value in given.items() if value not in (None, [])} | {"after": given["after"]}


class Unsafe(str):
    """Text that Ansible must take as it is: it is written with the tag `!unsafe`."""

    __slots__ = ()


def _data(value: Any) -> Any:
    """The value with all text in it, but keys, kept from being a template: Ansible would run what `{{ }}` in a name says."""
    match value:
        case str():
            return Unsafe(value) if "{" in value else value
        case dict():
            return {key: _data(item) for key, item in value.items()}
        case list():
            return [_data(item) for item in value]
        case _:
            return value


ONCE = {StepKind.STOP, StepKind.PIN, StepKind.UPGRADE}
"""Steps that are not done again once their host runs the target kernel."""


def _first_look(plan: Plan) -> list[Mapping[str, Any]]:
    return [
        {"name": "Kernel", "ansible.builtin.command": {"argv": ["uname", "-r"]}, "register": "fleetplan_kernel", "changed_when": False},
        {
            "name": "Old or target kernel",
            "ansible.builtin.assert": {"that": ["fleetplan_kernel.stdout in fleetplan_kernels"], "quiet": True},
            "vars": {"fleetplan_kernels": _data(sorted({plan.target.kernel, *(site.kernel for site in plan.sites.values())}))},
        },
        {
            "name": "Nothing is done yet",
            "ansible.builtin.set_fact": {"fleetplan_done": []},
        },
    ]


def _tasks() -> list[Mapping[str, Any]]:
    done = "{{ hostvars.keys() | map('extract', hostvars, 'fleetplan_done') | select('defined') | flatten }}"
    return [
        {
            "name": "Steps of this host whose turn it is",
            "ansible.builtin.set_fact": {
                "fleetplan_now": "{{ fleetplan_steps[inventory_hostname] | selectattr('after', 'subset', fleetplan_before) | list }}"
            },
            "vars": {"fleetplan_before": done},
        },
        _each("migrate", {"ansible.builtin.shell": _MIGRATE}),
        _each("stop", {"ansible.builtin.shell": _STOP}),
        _each("pin", {"ansible.builtin.shell": _PIN}),
        _each("upgrade", {"ansible.builtin.include_tasks": {"file": "{{ fleetplan_upgrade }}"}}),
        _each("check", {"ansible.builtin.shell": _CHECK}),
        _each("start", {"ansible.builtin.shell": _START}),
        _each("gate", {"ansible.builtin.pause": {"seconds": "{{ item.seconds | default(0) }}"}}),
        {
            "name": "What is done",
            "ansible.builtin.set_fact": {"fleetplan_done": "{{ fleetplan_done | union(fleetplan_now | map(attribute='id') | list) }}"},
        },
    ]


def _each(kind: str, task: Mapping[str, Any]) -> Mapping[str, Any]:
    loop = {"loop": f"{{{{ fleetplan_now | selectattr('kind', 'equalto', '{kind}') | list }}}}", "loop_control": {"label": "{{ item.id }}"}}
    unless = {"when": "not (item.once | default(false)) or fleetplan_kernel.stdout != fleetplan_target.kernel"}
    return {"name": kind, **task, **loop, **unless}


RUNNING = "virsh -q list --name --state-running | grep -Fxq -- {{ item.guest | quote }}"
_MIGRATE = (
    f"! {RUNNING} || virsh migrate --live --p2p --persistent --undefinesource --abort-on-error"
    " --domain={{ item.guest | quote }} --desturi=qemu+ssh://{{ item.to | regex_replace('[^A-Za-z0-9.:_@%-]', '_') | quote }}/system"
)
_STOP = f"virsh shutdown --domain={{{{ item.guest | quote }}}}; for i in $(seq 150); do {RUNNING} || exit 0; sleep 2; done; exit 1"
_START = f"{RUNNING} || virsh start --domain={{{{ item.guest | quote }}}}"
_PIN = "virt-xml {{ item.guest | quote }} --edit --qemu-commandline={{ ('-global host-arm-cpu.' ~ item.note) | quote }}"
_CHECK = 'test "$(uname -r)" = {{ fleetplan_target.kernel | quote }}'


# --- PSCI pins -----------------------------------------------------------------------------------------------------------------------


def pins(plan: Plan) -> Iterator[str]:
    """For each guest with a PSCI pin: the QEMU argument, and the piece of its libvirt domain.

    Source: QEMU 11.0 and later have the property `kvm-psci-version` of `host-arm-cpu`; libvirt passes arguments on in `qemu:commandline`.
    """
    if not plan.pins:
        yield "<!-- This plan pins no PSCI version. -->\n"
    for pin in plan.pins:
        argument = f"host-arm-cpu.kvm-psci-version={pin.psci}"
        yield f"<!-- {_remark(pin.guest)}: before {_remark(pin.effective)}. QEMU: -global {_remark(argument)} -->\n"
        yield f"<!-- virsh edit: within <domain xmlns:qemu={quoteattr(QEMU_NAMESPACE)}> -->\n<qemu:commandline>\n"
        yield f"  <qemu:arg value={quoteattr('-global')}/>\n  <qemu:arg value={quoteattr(printable(argument))}/>\n</qemu:commandline>\n\n"


QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"


def _remark(text: str) -> str:
    """Text for an XML comment, which two hyphens would end."""
    return printable(text).replace("--", "-\u2010")


# --- shared --------------------------------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Writes `Unsafe` text too."""


_Dumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


def _yaml(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=120))


def _line(text: str) -> str:
    """Text for a comment: one line."""
    return printable(text)
