# --- what steps do: OpenStack ---------------------------------------------------------------------------------------------------------
#
# What only your site knows stands in a file that FLEETPLAN_SITE names, as functions:
#   site_upgrade HOST KERNEL VMM   installs both, reboots, and returns when the host answers again (must be there)
#   site_pin SERVER HOST PSCI      pins the PSCI version of a server: Nova has no way to (must be there if the plan has pins)
#   site_check HOST                looks whether the upgraded host is well
#   on HOST COMMAND                how hosts are reached, where it is not ssh
# Servers are named as in the inventory: by what FLEETPLAN_COLUMN says (Name or ID; default Name).

on() { ssh -o BatchMode=yes -- "${address[$1]}" "$2"; }

ready_to_run() {
    local n
    [ -z "${FLEETPLAN_SITE-}" ] || . "$FLEETPLAN_SITE" || die "cannot read $FLEETPLAN_SITE"
    ((dry)) && return
    has site_upgrade || die "write how your hosts are upgraded: a function site_upgrade in a file that FLEETPLAN_SITE names"
    for n in "${steps[@]}"; do
        [ "${kind[$n]}" != pin ] || has site_pin || die "the plan pins PSCI versions, and Nova cannot: write a function site_pin"
    done
}

kernel_of() { on "$1" "uname -r"; }

running_on() { openstack server list --all-projects --host "$1" --status ACTIVE -f value -c "${FLEETPLAN_COLUMN:-Name}"; }

is_running() { running_on "$2" | grep -Fxq -- "$1"; }

do_cordon() { act openstack compute service set --disable --disable-reason "kernel rollout, wave ${wave[$1]}" -- "${what[$1]}" nova-compute; }

do_uncordon() { act openstack compute service set --enable -- "${what[$1]}" nova-compute; }

do_migrate() {
    ((!dry)) && is_running "${what[$1]}" "${to[$1]}" && return 0
    act openstack --os-compute-api-version 2.30 server migrate --live-migration --host "${to[$1]}" --wait -- "${what[$1]}" || return 1
    # A live migration that failed leaves the server ACTIVE where it was.
    ((dry)) || is_running "${what[$1]}" "${to[$1]}"
}

reach() { # SERVER STATUS
    local left
    for ((left = ${FLEETPLAN_STOP_S:-300}; left > 0; left -= 5)); do
        [ "$(openstack server show -f value -c status -- "$1")" = "$2" ] && return 0
        sleep 5
    done
    return 1
}

do_stop() {
    act openstack server stop -- "${what[$1]}" || return 1
    ((dry)) || reach "${what[$1]}" SHUTOFF
}

do_start() {
    ((!dry)) && is_running "${what[$1]}" "${from[$1]}" && return 0
    act openstack server start -- "${what[$1]}" || return 1
    ((dry)) || reach "${what[$1]}" ACTIVE
}

do_pin() { act site_pin "${what[$1]}" "${from[$1]}" "${note[$1]#*=}"; }

do_upgrade() {
    if ((!dry)) && [ -n "$(running_on "${what[$1]}")" ]; then
        say "host ${what[$1]} still runs servers: it is not rebooted"
        return 1
    fi
    act site_upgrade "${what[$1]}" "$target_kernel" "$target_vmm"
}

do_check() {
    ((dry)) && return 0
    [ "$(kernel_of "${what[$1]}")" = "$target_kernel" ] || return 1
    ! has site_check || site_check "${what[$1]}"
}
