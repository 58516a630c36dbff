# --- what steps do: libvirt -----------------------------------------------------------------------------------------------------------
#
# What only your site knows stands in a file that FLEETPLAN_SITE names, as functions:
#   site_upgrade HOST KERNEL VMM   installs both, reboots, and returns when the host answers again (must be there)
#   site_cordon HOST, site_uncordon HOST   tell your scheduler
#   site_check HOST                looks whether the upgraded host is well
#   uri HOST, on HOST COMMAND      how hosts are reached, where it is not ssh

uri() { printf 'qemu+ssh://%s/system' "${address[$1]}"; }

on() { ssh -o BatchMode=yes -- "${address[$1]}" "$2"; }

ready_to_run() {
    local name
    for name in "${hosts[@]}"; do # libvirt reads parameters in a URI, one of which names a program to run
        [[ ${address[$name]} == *[!A-Za-z0-9.:_@%[\]-]* ]] && die "the address of host $name is none: ${address[$name]}"
    done
    [ -z "${FLEETPLAN_SITE-}" ] || . "$FLEETPLAN_SITE" || die "cannot read $FLEETPLAN_SITE"
    has site_upgrade || ((dry)) || die "write how your hosts are upgraded: a function site_upgrade in a file that FLEETPLAN_SITE names"
}

kernel_of() { on "$1" "uname -r"; }

running_on() { virsh -q -c "$(uri "$1")" list --name --state-running; }

is_running() { running_on "$2" | grep -Fxq -- "$1"; }

do_cordon() { ! has site_cordon || act site_cordon "${what[$1]}"; }

do_uncordon() { ! has site_uncordon || act site_uncordon "${what[$1]}"; }

do_migrate() {
    ((!dry)) && is_running "${what[$1]}" "${to[$1]}" && return 0
    act virsh -c "$(uri "${from[$1]}")" migrate --live --p2p --persistent --undefinesource --abort-on-error \
        "--domain=${what[$1]}" "--desturi=$(uri "${to[$1]}")"
}

do_stop() {
    local left
    act virsh -c "$(uri "${from[$1]}")" shutdown "--domain=${what[$1]}" || return 1
    ((dry)) && return 0
    for ((left = ${FLEETPLAN_STOP_S:-300}; left > 0; left -= 2)); do
        is_running "${what[$1]}" "${from[$1]}" || return 0
        sleep 2
    done
    return 1
}

do_start() {
    ((!dry)) && is_running "${what[$1]}" "${from[$1]}" && return 0
    act virsh -c "$(uri "${from[$1]}")" start "--domain=${what[$1]}"
}

do_pin() {
    local argument="host-arm-cpu.${note[$1]}"
    ((!dry)) && virsh -c "$(uri "${from[$1]}")" dumpxml --inactive "--domain=${what[$1]}" | grep -Fq -- "$argument" && return 0
    act virt-xml --connect "$(uri "${from[$1]}")" "${what[$1]}" --edit "--qemu-commandline=-global $argument"
}

do_upgrade() {
    if ((!dry)) && [ -n "$(running_on "${what[$1]}")" ]; then
        say "host ${what[$1]} still runs guests: it is not rebooted"
        return 1
    fi
    act site_upgrade "${what[$1]}" "$target_kernel" "$target_vmm"
}

do_check() {
    ((dry)) && return 0
    [ "$(kernel_of "${what[$1]}")" = "$target_kernel" ] || return 1
    case $target_vmm in
    qemu-*) virsh -c "$(uri "${what[$1]}")" version | grep -Fq -- "QEMU ${target_vmm#qemu-}" || return 1 ;;
    esac
    ! has site_check || site_check "${what[$1]}"
}
